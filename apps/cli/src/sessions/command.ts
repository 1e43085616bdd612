import { type Command, Option } from 'commander';
import {
  type GatewayOptions,
  gatewayOf,
  takesGateway,
  takesListing,
  takesPrincipal,
} from '../api/options.js';
import { type CommandLine, exampleOf } from '../command/command.js';
import type { Act } from './act.js';
import type { ListOptions } from './list.js';
import type { ShowOptions } from './show.js';

/** `sluice sessions list`, `show ID`, and `abort`, `end`, `pause`, `resume ID`. */
export function addSessions(program: Command, line: CommandLine): void {
  const sessions = program
    .command('sessions')
    .description('look at sessions, stop turns, pause and end sessions');
  addList(sessions, line);
  addShow(sessions, line);
  const abort = addAct(sessions, line, {
    act: 'abort',
    description: 'stop the message at the head, begun or not; waiting messages then run',
  });
  abort.option('--message <id>', 'stop this message, begun or waiting, and no other');
  addAct(sessions, line, {
    act: 'end',
    description: 'end a session: the running turn is aborted, waiting messages are cancelled',
  });
  addAct(sessions, line, {
    act: 'pause',
    description: 'let no further turn begin; messages are accepted and wait',
  });
  addAct(sessions, line, { act: 'resume', description: 'let a paused session go on' });
}

function addList(sessions: Command, line: CommandLine): void {
  const states = ['executing', 'pending', 'idle'];
  const list = takesListing(takesGateway(sessions.command('list')))
    .description(
      "sessions, the last used first: with scopes admin and operate everybody's, else your own",
    )
    .addOption(new Option('--state <state>', 'only those in this state').choices(states))
    .option('--agent <id>', 'only those of this agent')
    .option('--principal <name>', 'only those of this principal')
    .action(async (options: GatewayOptions & ListOptions) => {
      const { listSessions } = await import('./list.js');
      line.end(await listSessions(gatewayOf(options), options));
    });
  exampleOf(
    list,
    'sluice sessions list --state pending',
    "sluice sessions list --json | jq -r '.[].session_id'",
  );
}

function addShow(sessions: Command, line: CommandLine): void {
  const show = takesPrincipal(takesGateway(sessions.command('show <id>')))
    .description('one session: what it does, who holds it, what waits, and why it stands still')
    .option('--json', 'the session as the gateway has it, with its newest messages')
    .action(async (id: string, options: GatewayOptions & ShowOptions) => {
      const { showSession } = await import('./show.js');
      line.end(await showSession(gatewayOf(options), id, options));
    });
  exampleOf(show, 'sluice sessions show ses-1 --principal alice');
}

function addAct(
  sessions: Command,
  line: CommandLine,
  { act, description }: { act: Act; description: string },
): Command {
  const command = takesPrincipal(takesGateway(sessions.command(`${act} <id>`)))
    .description(description)
    .action(
      async (id: string, options: GatewayOptions & { principal?: string; message?: string }) => {
        const { actOn } = await import('./act.js');
        const { principal, message } = options;
        line.end(await actOn(gatewayOf(options), { act, id, principal, message }));
      },
    );
  exampleOf(command, `sluice sessions ${act} ses-1 --principal alice`);
  return command;
}
