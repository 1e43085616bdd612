import type { Command } from 'commander';

/** Shared by all commands of one command line. */
export type CommandLine = {
  /** Keys of the configuration that were given as options. */
  readonly flags: Readonly<Record<string, string>>;
  /** The status with which the process is to end. */
  end(status: number): void;
};

/** `Examples:` below the help of a command. */
export function exampleOf(command: Command, ...lines: readonly string[]): Command {
  const title = lines.length > 1 ? 'Examples:' : 'Example:';
  return command.addHelpText('after', `\n${title}\n${lines.map((line) => `  ${line}`).join('\n')}`);
}

/** For a command with subcommands: refuses a word that names none of them. */
export function refuseOther(command: Command): void {
  const [word] = command.args;
  if (word === undefined) return;
  const names = command.commands.map((it) => it.name()).join(', ');
  command.error(`error: unknown command '${word}' of ${pathOf(command)} (there is: ${names})`);
}

/** Full name of a command, such as `sluice nodes drain`. */
export function pathOf(command: Command): string {
  return command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name();
}
