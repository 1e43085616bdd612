import type { Command } from 'commander';

export type SplitArguments = {
  /** What commander is to parse. */
  readonly rest: readonly string[];
  /** Configuration keys: `--gateway.port 9000` or `--gateway.port=9000`. */
  readonly flags: Readonly<Record<string, string>>;
};

/**
 * Takes configuration keys out of the command line: the options whose names have a dot, and `agents`, the
 * only key without one. Commander would have to know each of them, but the names of agents are free. An
 * option without a value means `true`.
 */
export function splitKeys(argv: readonly string[]): SplitArguments {
  const rest: string[] = [];
  const flags: Record<string, string> = {};
  for (let at = 0; at < argv.length; at++) {
    const argument = argv[at] ?? '';
    if (argument === '--') {
      rest.push(...argv.slice(at));
      break;
    }
    const match = /^--([A-Za-z_][^=.]*\.[^=]+|agents)(?:=(.*))?$/s.exec(argument);
    if (!match) {
      rest.push(argument);
      continue;
    }
    const [, key = '', inline] = match;
    const next = argv[at + 1];
    const takesNext = inline === undefined && next !== undefined && !next.startsWith('--');
    flags[key] = inline ?? (takesNext ? next : 'true');
    if (takesNext) at++;
  }
  return { rest, flags };
}

const configHelp = `
Every key of docs/reference/configuration.md is an option too: --gateway.port 9000 --lease.ttl 5s
or an environment variable: SLUICE_GATEWAY__PORT=9000`;

const configured = new WeakSet<Command>();

/** For every command that reads the configuration. */
export function takesKeys(command: Command): Command {
  configured.add(command);
  return command.option('--config <file>', 'gateway.yaml').addHelpText('after', configHelp);
}

/** Ends with an error if configuration keys were given to a command that reads no configuration. */
export function refuseKeys(command: Command, flags: Readonly<Record<string, string>>): void {
  const [first] = Object.keys(flags);
  if (first === undefined || configured.has(command)) return;
  command.error(`error: unknown option '--${first}'`);
}
