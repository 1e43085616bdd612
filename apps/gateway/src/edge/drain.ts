import { monotonicMs, sleep } from '@sluice/runtime';
import type { RunningEdge } from './edge.js';
import { closeMoved, reconnectAfterMs, tellGoingAway } from './socket/going-away.js';

/** Connections are closed in portions, this often: one timer for each would have to wait less than 1 ms. */
const CLOSE_LOOK_MS = 10;
const WAIT_LOOK_MS = 20;

/**
 * Sends the clients to other nodes (D6): sends `going_away` at once, and closes them evenly over `spreadMs`, while
 * turns go on. What they send until their close is still accepted. When `deadline` aborts, the rest is closed at once.
 * Requests that wait for a turn are kept until it does.
 */
export async function drainConnections(
  { context, connections: open, streams, waits }: RunningEdge,
  { spreadMs, deadline }: { spreadMs: number; deadline: AbortSignal },
): Promise<void> {
  const connections = [...open];
  for (const connection of connections) tellGoingAway(connection, 'draining');
  const closings = [
    ...connections.map((connection) => () => closeMoved(context, connection)),
    ...[...streams].map((stream) => () => stream.end(reconnectAfterMs())),
  ];
  const startMs = monotonicMs();
  for (let closed = 0; closed < closings.length; ) {
    await sleep(Math.min(CLOSE_LOOK_MS, spreadMs), deadline);
    const isOver = deadline.aborted || monotonicMs() - startMs >= spreadMs;
    const share = isOver ? 1 : (monotonicMs() - startMs) / spreadMs;
    const due = Math.floor(closings.length * share);
    for (const close of closings.slice(closed, due)) close();
    closed = due;
  }
  await context.marks.written();
  // Their turns may run on other nodes: only the deadline ends the waiting.
  while (waits.size > 0 && !deadline.aborted) await sleep(WAIT_LOOK_MS, deadline);
}

/** Ends what is left, as the last step: a request that still waits is cut, never completed (D6). */
export async function closeEdge({
  context,
  connections,
  streams,
  waits,
  server,
  timers,
  secrets,
}: RunningEdge): Promise<void> {
  for (const timer of timers) clearInterval(timer);
  secrets.stop();
  for (const connection of connections) closeMoved(context, connection);
  for (const stream of streams) stream.end(reconnectAfterMs());
  for (const reply of waits) reply.cut();
  await context.marks.written();
  server.closeListener();
}
