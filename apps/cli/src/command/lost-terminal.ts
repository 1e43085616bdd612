import { closeSync, openSync } from 'node:fs';
import { isatty } from 'node:tty';

const STANDARD_STREAMS = [0, 1, 2];

/**
 * When Node exits, it restores the settings of every terminal that it started with. It aborts when that fails,
 * as it does after the terminal was closed. It leaves other streams alone: so at exit each standard stream whose
 * terminal is gone is replaced by /dev/null.
 */
export function outliveTerminal(): void {
  const terminals = STANDARD_STREAMS.filter((stream) => isatty(stream));
  process.on('exit', () => {
    for (const stream of terminals.filter((one) => !isatty(one))) {
      closeSync(stream);
      openSync('/dev/null', 'r+'); // gets the lowest free number: that of the stream
    }
  });
}
