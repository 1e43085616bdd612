import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { addAgents } from './agents/command.js';
import { addBench } from './bench/command.js';
import { addChat } from './chat/command.js';
import { type CommandLine, pathOf } from './command/command.js';
import { refuseKeys } from './command/config-flags.js';
import { addCompletions } from './completions/command.js';
import { addDeadLetters } from './dead-letters/command.js';
import { addMigrate } from './migrate/command.js';
import { addNodeCommands } from './node-commands.js';
import { addNodes } from './nodes/command.js';
import { addSessionEnds } from './session-ends/command.js';
import { addSessions } from './sessions/command.js';

const afterHelp = `
Statuses: 0 done, 1 refused by the gateway, 2 wrong command line, 75 try again later, 78 wrong configuration.
docs/reference/cli.md shows each command with its output.`;

/** The tree of commands. The code of a command is loaded when it is called. */
export function makeProgram(line: CommandLine): Command {
  const program = new Command('sluice')
    .description('A WebSocket gateway cluster for AI-agent sessions, on Redis')
    .version(version())
    .exitOverride()
    // Also set on `nodes`: options after `drain` belong to `drain`, although `nodes` has the same ones.
    .enablePositionalOptions()
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, 'sluice: ')),
    })
    .addHelpText('after', afterHelp)
    .hook('preAction', (_program, command) => refuseKeys(command, line.flags));
  addNodeCommands(program, line);
  addChat(program, line);
  addSessions(program, line);
  addAgents(program, line);
  addNodes(program, line);
  addDeadLetters(program, line);
  addSessionEnds(program, line);
  addMigrate(program, line);
  addBench(program, line);
  addCompletions(program, line);
  pointToHelp(program);
  return program;
}

function pointToHelp(command: Command): void {
  command.showHelpAfterError(`(${pathOf(command)} --help says more)`);
  for (const below of command.commands) pointToHelp(below);
}

function version(): string {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return /"version":\s*"([^"]+)"/.exec(manifest)?.[1] ?? 'unknown';
}
