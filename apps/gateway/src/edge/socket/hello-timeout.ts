import { closes } from '@sluice/protocol';
import { type Logger, monotonicMs } from '@sluice/runtime';
import type { Connection } from './connection.js';

/** Looks within the time that a connection has. */
const LOOKS = 4;

/**
 * Closes connections that never said `hello`: they would stay for ever, since browsers answer pings. A connection that
 * has had a session may stay without one. One timer for all of them.
 */
export function startHelloTimeout(
  { connections, log }: { connections: ReadonlySet<Connection>; log: Logger },
  timeoutMs: number,
): NodeJS.Timeout {
  return setInterval(() => {
    const latestMs = monotonicMs() - timeoutMs;
    for (const { socket, outbound, state, openedMs, hasEntered } of connections) {
      if (hasEntered || state.kind !== 'idle' || openedMs > latestMs) continue;
      const { principal } = socket.identity;
      log.debug({ connection: socket.id, principal }, 'connection said no hello');
      outbound.close(closes.helloTimeout.code, closes.helloTimeout.reason);
    }
  }, timeoutMs / LOOKS);
}
