import { exitStatus, StartError } from '@sluice/runtime';
import { CommanderError } from 'commander';
import { splitKeys } from './command/config-flags.js';
import { outliveTerminal } from './command/lost-terminal.js';
import { explainNativeLibrary } from './native-library.js';
import { printable } from './output/printable.js';
import { makeProgram } from './program.js';

/** Runs the `sluice` command and ends the process with its status. */
export async function main(argv: readonly string[]): Promise<void> {
  outliveTerminal();
  // `sluice sessions list | head` closes our stdout: that is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(exitStatus.ok);
    console.error(`sluice: cannot write to stdout: ${error.message}`);
    process.exit(exitStatus.tempFail);
  });
  try {
    process.exit(await run(argv));
  } catch (caught) {
    const error = explainNativeLibrary(caught);
    if (!(error instanceof StartError)) throw error;
    const [first = '', ...others] = error.message.split('\n');
    const many = `sluice: ${others.length + 1} faults in the configuration`;
    const lines = others.length > 0 ? [many, ...[first, ...others].map((l) => `  ${l}`)] : [first];
    // The text may contain the message of a gateway.
    console.error(printable(others.length > 0 ? lines.join('\n') : `sluice: ${first}`));
    process.exit(error.status);
  }
}

/** Parses the command line and runs one command; returns its status. */
async function run(argv: readonly string[]): Promise<number> {
  const { rest, flags } = splitKeys(argv.slice(2));
  let status: number = exitStatus.ok;
  const end = (its: number) => {
    status = its;
  };
  try {
    await makeProgram({ flags, end }).parseAsync(rest, { from: 'user' });
    return status;
  } catch (error) {
    // Commander has printed what is wrong, or the requested help.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitStatus.usage;
    throw error;
  }
}
