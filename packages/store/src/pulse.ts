import { monotonicMs } from '@sluice/runtime';
import type { Connection } from './connect.js';
import type { MemoryWatch } from './memory.js';

const LOOK_MS = 250;
/** Without an answer for so long Redis counts as away; readiness follows within 1 s (C3). */
const SILENCE_MS = 700;

/** Whether Redis answers, and how full it is: a connection that stands says nothing about a process that is stopped. */
export function watchPulse(
  connection: Connection,
  memory: MemoryWatch,
): { isBeating(): boolean; stop(): void } {
  let answeredMs = monotonicMs();
  const timer = setInterval(() => {
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
  return {
    isBeating: () => connection.serverId() !== undefined && monotonicMs() - answeredMs < SILENCE_MS,
    stop: () => clearInterval(timer),
  };
}
