import { startRounds } from '../delivery/rounds.js';
import type { EdgeContext } from './context.js';

/** Keeps sessions with readers on this node from expiring (C4): a call for each, once in `everyMs`. */
export function startTouch(
  { fanOut, sessions, log }: Pick<EdgeContext, 'fanOut' | 'sessions' | 'log'>,
  everyMs: number,
): NodeJS.Timeout {
  return startRounds(
    () => fanOut.sessions(),
    (ref) => {
      sessions.touch(ref).catch((err) => log.debug({ err }, 'session not kept alive'));
    },
    everyMs,
  );
}
