import { closes } from '@sluice/protocol';
import { sleep } from '@sluice/runtime';
import { detach } from './detach.js';
import type { RunningEdge } from './edge.js';

/** Clients are asked to come back after so long at the earliest; the jitter spreads them. */
const RECONNECT_MIN_MS = 100;
const RECONNECT_SPREAD_MS = 1_000;
const WAIT_LOOK_MS = 20;

const reconnectAfterMs = () => Math.round(RECONNECT_MIN_MS + Math.random() * RECONNECT_SPREAD_MS);

/**
 * Sends the clients elsewhere (D6): told at once, closed one after the other over `spreadMs`, beside the
 * running turns. What they send until then is still accepted. `deadline` closes the rest at once.
 * Requests that wait for a turn are kept until then.
 */
export async function drainConnections(
  { context, streams, waits }: RunningEdge,
  { spreadMs, deadline }: { spreadMs: number; deadline: AbortSignal },
): Promise<void> {
  const connections = [...context.connections];
  for (const { outbound, state } of connections) {
    outbound.json({
      type: 'going_away',
      reason: 'draining',
      reconnect_after_ms: reconnectAfterMs(),
      ...(state.kind === 'attached' ? { session_id: state.ref.sessionId } : {}),
    });
  }
  const closings = [
    ...connections.map((connection) => () => {
      detach(context, connection);
      connection.outbound.close(closes.serviceRestart.code, closes.serviceRestart.reason);
    }),
    ...[...streams].map((stream) => () => stream.end(reconnectAfterMs())),
  ];
  const gapMs = spreadMs / Math.max(1, closings.length);
  for (const close of closings) {
    await sleep(gapMs, deadline);
    close();
  }
  await Promise.all(context.marking);
  // Their turns may run on other nodes: only the deadline ends the waiting.
  while (waits.size > 0 && !deadline.aborted) await sleep(WAIT_LOOK_MS, deadline);
}

/** Ends what is left, at the very end: a request that still waits is cut, never completed (D6). */
export async function closeEdge({
  context,
  streams,
  waits,
  server,
  timers,
}: RunningEdge): Promise<void> {
  for (const timer of timers) clearInterval(timer);
  for (const connection of context.connections) {
    detach(context, connection);
    connection.outbound.close(closes.serviceRestart.code, closes.serviceRestart.reason);
  }
  for (const stream of streams) stream.end(reconnectAfterMs());
  for (const reply of waits) reply.cut();
  await Promise.all(context.marking);
  server.closeListener();
}
