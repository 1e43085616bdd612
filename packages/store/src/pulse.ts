import { monotonicMs } from '@sluice/runtime';
import type { Connection } from './connect.js';
import type { MemoryWatch } from './memory.js';

const LOOK_MS = 250;
/** Without an answer for so long Redis counts as away; readiness follows within 1 s (C3). */
const SILENCE_MS = 700;

/** Looks in a row without an answer before it is told: a stalled event loop alone is none of Redis. */
const TOLD_AFTER = 2;

export type Pulse = { isBeating(): boolean; stop(): void };

/** Whether Redis answers, and how full it is: a connection that stands says nothing about a process that is stopped. */
export function watchPulse(
  connection: Connection,
  memory: MemoryWatch,
  /** Once when it ceases to answer, and once when it answers again, after so long. */
  onChange: (isBeating: boolean, silentMs: number) => void,
): Pulse {
  let answeredMs = monotonicMs();
  let silentLooks = 0;
  let silentSinceMs = 0;
  const isBeating = () =>
    connection.serverId() !== undefined && monotonicMs() - answeredMs < SILENCE_MS;
  const tell = () => {
    const now = monotonicMs();
    if (!isBeating()) {
      if (silentLooks === 0) silentSinceMs = now;
      silentLooks++;
      if (silentLooks === TOLD_AFTER) onChange(false, 0);
    } else {
      if (silentLooks >= TOLD_AFTER) onChange(true, now - silentSinceMs);
      silentLooks = 0;
    }
  };
  const timer = setInterval(() => {
    tell();
    connection
      .ask((client) => client.info('memory'))
      .then(
        (info) => {
          answeredMs = monotonicMs();
          memory.look(info);
        },
        () => undefined, // silence is what counts
      );
  }, LOOK_MS);
  return { isBeating, stop: () => clearInterval(timer) };
}
