import { closeSync, openSync } from 'node:fs';
import { isatty } from 'node:tty';

const STANDARD_STREAMS = [0, 1, 2];

/**
 * At its end Node gives every terminal that it began with its settings back, and aborts when that fails, as it
 * does once the terminal has been closed. A stream that leads somewhere else by then is left alone: so what
 * led to a terminal that is gone leads to nowhere instead.
 */
export function outliveTerminal(): void {
  const terminals = STANDARD_STREAMS.filter((stream) => isatty(stream));
  process.on('exit', () => {
    for (const stream of terminals.filter((one) => !isatty(one))) {
      closeSync(stream);
      openSync('/dev/null', 'r+'); // takes the lowest number that is free: that of the stream
    }
  });
}
