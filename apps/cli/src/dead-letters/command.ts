import type { Command } from 'commander';
import { type GatewayOptions, gatewayOf, takesGateway, takesListing } from '../api/options.js';
import { type CommandLine, exampleOf } from '../command.js';
import type { LettersOptions } from './dead-letters.js';

/** `sluice dead-letters list`, `retry ID`, `drop ID`. */
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

  const retry = takesGateway(letters.command('retry <id>'))
    .description('send it again, as a new message behind what waits in its session')
    .action(async (id: string, options: GatewayOptions) => {
      const { retryLetter } = await import('./dead-letters.js');
      line.end(await retryLetter(gatewayOf(options), id));
    });
  exampleOf(retry, "sluice dead-letters retry '2bd806c97f0e.ses-1~m-7'");

  const drop = takesGateway(letters.command('drop <id>'))
    .description('delete it')
    .action(async (id: string, options: GatewayOptions) => {
      const { dropLetter } = await import('./dead-letters.js');
      line.end(await dropLetter(gatewayOf(options), id));
    });
  exampleOf(drop, "sluice dead-letters drop '2bd806c97f0e.ses-1~m-7'");
}
