import type { SessionRef } from '@sluice/store';
import type { EdgeContext } from './context.js';

const LOOK_MS = 100;

/**
 * Keeps sessions that somebody is attached to from expiring (C4): each once in `everyMs`, a few at each look.
 * All of them at once would hold the event loop for seconds where there are ten thousands.
 */
export function startTouch(
  { fanOut, sessions, log }: Pick<EdgeContext, 'fanOut' | 'sessions' | 'log'>,
  everyMs: number,
): NodeJS.Timeout {
  const looks = Math.max(1, Math.floor(everyMs / LOOK_MS));
  let round: readonly SessionRef[] = [];
  let look = 0;
  return setInterval(() => {
    if (look === 0) round = fanOut.sessions();
    const next = look + 1;
    const at = (share: number) => Math.floor((round.length * share) / looks);
    for (const ref of round.slice(at(look), at(next))) {
      sessions.touch(ref).catch((err) => log.debug({ err }, 'session not kept alive'));
    }
    look = next % looks;
  }, everyMs / looks);
}
