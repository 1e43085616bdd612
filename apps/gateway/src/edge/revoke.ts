import { type Close, closes } from '@sluice/protocol';
import type { Credentials } from './access/authenticate.js';
import type { Identity } from './access/identity.js';
import type { Open } from './open.js';
import { detach } from './socket/detach.js';
import { reconnectAfterMs } from './socket/going-away.js';

/** A connection outlives its credential by at most this time. */
const LOOK_INTERVAL_MS = 500;

/**
 * Ends connections and streams of events whose credential has expired or was withdrawn. Others notice nothing. One
 * timer for all of them.
 */
export function startRevoke(
  { context, connections, streams }: Open,
  credentials: Credentials,
): NodeJS.Timeout {
  /** Each credential is judged once per look, however many connections use it. */
  const judge = (nowMs: number) => {
    const judged = new Map<Identity, Close | undefined>();
    return (identity: Identity): Close | undefined => {
      if (judged.has(identity)) return judged.get(identity);
      const isOver = identity.credential.expiresAtMs <= nowMs;
      const isGone = !isOver && !credentials.isInForce(identity);
      const verdict = isOver ? closes.credentialsExpired : closes.credentialsRotated;
      judged.set(identity, isOver || isGone ? verdict : undefined);
      return judged.get(identity);
    };
  };

  return setInterval(() => {
    const verdictOn = judge(Date.now());
    for (const connection of connections) {
      const verdict = verdictOn(connection.socket.identity);
      if (!verdict) continue;
      detach(context, connection);
      connection.outbound.close(verdict.code, verdict.reason);
    }
    // Their readers come back with the same credential, and are refused.
    for (const stream of streams) {
      if (verdictOn(stream.identity)) stream.end(reconnectAfterMs());
    }
  }, LOOK_INTERVAL_MS);
}
