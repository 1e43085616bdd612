import { monotonicMs } from '@sluice/runtime';
import type { Lease, LeaseReleased, ReleaseReply } from '@sluice/store';
import type { WorkerContext } from './context.js';
import type { HeldSession } from './held-session.js';
import { type Patience, repeatWhileAway } from './repeat-while-away.js';

export const FORCE_CLOSED = 'Force-closed during shutdown after timeout';
/** After that the lease is over in Redis as well, and the sweep finds the session. */
const LOST_MS = 500;

/** A signal that never aborts, for calls whose time is bounded elsewhere. */
export const never: AbortSignal = new AbortController().signal;

/**
 * Gives the lease up and rings if something waits; `idle` keeps it then, and returns `more`. `force` cuts the running
 * turn: its message stays at the head, and SESSION_END is recorded (D3). `lost`: the turn was cut because no majority
 * of the quorum renewed the lease; it is tried for a short time only. The ring is added after the release, never
 * before. It keeps the place in line of a session that has waited for a slot since `sinceMs`.
 */
export async function handOver(
  context: WorkerContext,
  held: HeldSession,
  how: 'idle' | 'yield' | 'force' | 'lost',
  sinceMs?: number,
): Promise<'more' | 'released'> {
  const { rings, phase, metrics } = context;
  const { lease, keeper } = held;
  if (how === 'idle') keeper.rest();
  else keeper.stop();
  const until = patienceOf(how, keeper.lost);
  const drains = phase !== 'running';
  const way = how === 'yield' && drains ? 'hand_over' : how;
  const reply = await repeatWhileAway(() => release(context, lease, way), until);
  if (reply?.kind === 'more') {
    keeper.goOn();
    return 'more';
  }
  keeper.stop();
  held.isReleased = reply?.kind === 'handed' || reply?.kind === 'released';
  if (reply?.kind === 'handed') {
    if (drains) metrics.handOver();
    if (reply.ring !== '') await rings.ring(lease.id, reply.ring, { lifo: drains, sinceMs });
    if (reply.record !== '') {
      metrics.sessionEnd('drain_timeout');
      await copyEnd(context, lease, reply.record);
    }
  }
  return 'released';
}

function patienceOf(how: 'idle' | 'yield' | 'force' | 'lost', lost: AbortSignal): Patience {
  if (how === 'force') return never;
  return how === 'lost' ? { untilMs: monotonicMs() + LOST_MS } : lost;
}

/** An idle lease is released together with others. One with damaged keys is released alone, which names the fault. */
async function release(
  { leases, releases }: WorkerContext,
  lease: Lease,
  how: 'idle' | 'yield' | 'hand_over' | 'force' | 'lost',
): Promise<ReleaseReply | LeaseReleased> {
  if (how !== 'idle') return leases.release(lease, how, FORCE_CLOSED);
  const reply = await releases.release(lease);
  return reply.kind === 'damaged' ? leases.release(lease, 'yield') : reply;
}

/** Copies SESSION_END to the global stream. If this fails, the sweep of any node does it later. */
async function copyEnd({ ends, keys, log }: WorkerContext, lease: Lease, record: string) {
  try {
    await ends.copy(record, keys.partitionOf(lease.id));
  } catch (err) {
    log.warn({ err, session: lease.id }, 'session end not copied yet');
  }
}
