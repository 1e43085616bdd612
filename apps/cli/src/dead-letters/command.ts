import { exitStatus, StartError } from '@sluice/runtime';
import type { Command } from 'commander';
import { type GatewayOptions, gatewayOf, takesGateway, takesListing } from '../api/options.js';
import { type CommandLine, exampleOf } from '../command/command.js';
import type { LettersOptions, RetryOptions } from './dead-letters.js';

/** `sluice dead-letters list`, `retry ID`, `retry --agent NAME`, `drop ID`. */
export function addDeadLetters(program: Command, line: CommandLine): void {
  const letters = program
    .command('dead-letters')
    .description('messages that used up their attempts');

  const list = takesListing(takesGateway(letters.command('list')))
    .description('dead letters, newest first')
    .option('--principal <name>', 'only those of this principal')
    .action(async (options: GatewayOptions & LettersOptions) => {
      const { listLetters } = await import('./dead-letters.js');
      line.end(await listLetters(gatewayOf(options), options));
    });
  exampleOf(list, 'sluice dead-letters list', "sluice dead-letters list --json | jq '.[].reason'");

  const retry = takesGateway(letters.command('retry [id]'))
    .description('send the message again, as a new one after those that wait in its session')
    .option('--agent <name>', 'all letters of this agent instead of one, the oldest first')
    .option('--principal <name>', 'with --agent: only those of this principal')
    .action(async (id: string | undefined, options: GatewayOptions & RetryOptions) => {
      const { retryLetter, retryLetters } = await import('./dead-letters.js');
      const { agent } = options;
      if ((id === undefined) === (agent === undefined)) {
        throw new StartError('name one dead letter, or --agent; not both', exitStatus.usage);
      }
      const gateway = gatewayOf(options);
      if (agent !== undefined) line.end(await retryLetters(gateway, { ...options, agent }));
      else line.end(await retryLetter(gateway, id ?? ''));
    });
  exampleOf(
    retry,
    "sluice dead-letters retry '2bd806c97f0e.ses-1~m-7'",
    'sluice dead-letters retry --agent assistant',
  );

  const drop = takesGateway(letters.command('drop <id>'))
    .description('delete a dead letter')
    .action(async (id: string, options: GatewayOptions) => {
      const { dropLetter } = await import('./dead-letters.js');
      line.end(await dropLetter(gatewayOf(options), id));
    });
  exampleOf(drop, "sluice dead-letters drop '2bd806c97f0e.ses-1~m-7'");
}
