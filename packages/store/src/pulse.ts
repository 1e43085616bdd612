import { monotonicMs } from '@sluice/runtime';
import type { Connection } from './connect.js';

const PING_MS = 250;
/** Without an answer for so long Redis counts as away; readiness follows within 1 s (C3). */
const SILENCE_MS = 700;

/** Whether Redis answers: a connection that stands says nothing about a process that is stopped. */
export function watchPulse(connection: Connection): { isBeating(): boolean; stop(): void } {
  let answeredMs = monotonicMs();
  const timer = setInterval(() => {
    connection
      .ask((client) => client.ping())
      .then(
        () => {
          answeredMs = monotonicMs();
        },
        () => undefined, // silence is what counts
      );
  }, PING_MS);
  return {
    isBeating: () => connection.serverId() !== undefined && monotonicMs() - answeredMs < SILENCE_MS,
    stop: () => clearInterval(timer),
  };
}
