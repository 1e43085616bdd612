import type { Logger } from '@sluice/runtime';
import type { Descriptors } from './descriptors.js';

const SETTLED_LOOK_MS = 1_000;

export type KeepRoom = {
  /** Whether a connection that the library has taken may stay. */
  mayStay(): boolean;
  stop(): void;
};

/**
 * Ends each new connection at once while this process has no descriptors except its reserve. If it were left in line,
 * the library would spin on what it cannot accept. One line in the log for the whole episode, however often
 * connections come and go at the limit.
 */
export function makeKeepRoom(descriptors: Descriptors, log: Logger): KeepRoom {
  let timer: NodeJS.Timeout | undefined;
  const stop = () => {
    clearInterval(timer);
    timer = undefined;
  };
  const tellFull = () => {
    const { used, limit } = descriptors;
    log.warn({ used, limit }, 'no more connections for now: the open files are at their limit');
    timer = setInterval(() => {
      if (!descriptors.isSettled()) return;
      stop();
      log.info('connections are taken again');
    }, SETTLED_LOOK_MS);
    timer.unref();
  };
  const mayStay = () => {
    if (descriptors.accepted()) return true;
    if (timer === undefined) tellFull();
    return false;
  };
  return { mayStay, stop };
}
