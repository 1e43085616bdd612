import { closes } from '@sluice/protocol';
import type { EdgeContext } from '../session/context.js';
import type { Connection } from './connection.js';
import { detach } from './detach.js';

/** Clients are asked to come back after this at the earliest; a random part spreads them. */
const RECONNECT_MIN_MS = 100;
const RECONNECT_SPREAD_MS = 1_000;

/** A random delay, for `going_away` and for the end of a stream. */
export const reconnectAfterMs = () =>
  Math.round(RECONNECT_MIN_MS + Math.random() * RECONNECT_SPREAD_MS);

/** Asks a client to come back on another node; what it sends until its close is still accepted (D6). */
export function tellGoingAway(
  { outbound, state }: Connection,
  reason: 'draining' | 'rebalance',
): void {
  outbound.json({
    type: 'going_away',
    reason,
    reconnect_after_ms: reconnectAfterMs(),
    ...(state.kind === 'attached' ? { session_id: state.ref.sessionId } : {}),
  });
}

/** Closes a connection after what was sent; its client goes on from its cursor, on any node. */
export function closeMoved(context: EdgeContext, connection: Connection): void {
  detach(context, connection);
  connection.outbound.close(closes.serviceRestart.code, closes.serviceRestart.reason);
}
