import { makeId, monotonicMs } from '@sluice/runtime';
import type { Claim, FreeSession, RingJob } from '@sluice/store';
import type { WorkerContext } from './held/context.js';
import { handOver } from './held/hand-over.js';
import { HeldHistory } from './held/held-history.js';
import { type Begun, HeldSession } from './held/held-session.js';
import { insist, type Patience } from './held/insist.js';
import { keepLease } from './held/lease-keeper.js';
import { linger } from './held/linger.js';
import { runTurns } from './turns/turn-loop.js';

/** A ring that finds the Redlock taken but no live holder comes again so much later. */
const TAKEN_DELAY_MS = 250;
/**
 * A call for a ring is repeated for this long: a Redis that was slow for a moment costs that moment. Given up
 * at once, the session waits for the sweep, or for the TTL of a lease that nobody knows of. A node that
 * drains asks once.
 */
const PATIENCE_MS = 5_000;
/** A last attempt that has to let others go first asks again after this, and up to as much by chance. */
const LAST_DELAY_MS = 500;

/**
 * Answers a ring: peek, unless the ring tells what that would find, acquire, begin. undefined: there is nothing for
 * this node to do.
 */
export async function takeSession(
  context: WorkerContext,
  ring: RingJob,
  runsAgent: (agent: string) => boolean,
): Promise<HeldSession | 'not_here' | undefined> {
  const { leases, lastAttempts, agents } = context;
  const { id, free } = ring;
  const until = patience(context);
  if (free) {
    if (!runsAgent(free.agent)) return 'not_here';
    const taken = await takePermitted(context, ring, { free, until });
    if (taken !== 'refused') return taken;
  }
  const peeked = await insist(() => leases.peek(id, ring.ring), until);
  if (peeked?.kind === 'waits' && !Number.isNaN(peeked.ms)) await passOn(context, id, peeked.ms);
  if (peeked?.kind !== 'free') return undefined;
  if (!runsAgent(peeked.agent)) return 'not_here';
  if (peeked.isLast && !lastAttempts.take(id, agents.get(peeked.agent)?.isolates ?? false)) {
    await passOn(context, id, Math.round(LAST_DELAY_MS * (1 + Math.random())));
    return undefined;
  }
  let taken: HeldSession | undefined;
  try {
    const found = await takePermitted(context, ring, { free: peeked, until });
    if (found !== 'refused') taken = found;
    else await passOn(context, id, TAKEN_DELAY_MS); // else its mark would hold back rings until the sweep
  } finally {
    if (!taken) lastAttempts.give(id);
  }
  return taken;
}

/** Permits, then the lease. undefined: the ring was passed on. `refused`: the session is not free any more. */
async function takePermitted(
  context: WorkerContext,
  { id, ring }: RingJob,
  { free, until }: { free: FreeSession; until: Patience },
): Promise<HeldSession | 'refused' | undefined> {
  const { permits } = context;
  const permitted = await insist(() => permits.take(id, free), until);
  if (!permitted) return undefined;
  if (permitted.kind === 'full') {
    await passOn(context, id, permitted.delayMs);
    return undefined;
  }
  let taken: HeldSession | undefined;
  try {
    taken = await takeLease(context, { id, ring, fence: free.fence });
  } finally {
    if (!taken) permits.give(id);
  }
  return taken ?? 'refused';
}

/** Redlock and `turn-begin`; undefined: somebody else was first. */
async function takeLease(
  context: WorkerContext,
  { id, ring, fence: lastFence }: RingJob & { fence: number },
): Promise<HeldSession | undefined> {
  const { leases, limits, metrics, log, renewals, keys } = context;
  const claim = await leases.acquire(id);
  if (!claim) return undefined;
  const turnId = makeId('turn');
  const begun = await begin(context, claim, { id, ring, turnId, fence: lastFence });
  if (!begun) {
    await leases.abandon(id, claim);
    return undefined;
  }
  metrics.leaseAcquired();
  if (begun.head.isTakenOver) metrics.takeover();
  if (begun.head.isCut) metrics.turnCut(); // here: the node that cut it is asked for its metrics no more
  const { sessionId: session_id, turnId: turn_id, fence, pauseMs: pause_ms } = begun.head;
  if (!Number.isNaN(pause_ms)) {
    metrics.handOverPauseMs(pause_ms);
    log.debug({ session_id, turn_id, fence, pause_ms }, 'session handed over');
  }

  const lease = { id, token: claim.token, fence: begun.head.fence };
  const keeper = keepLease(
    { lease, claim },
    {
      ...{ leases, renewals, partition: keys.partitionOf(id), ttlMs: limits.leaseTtlMs, log },
      onLost: () => metrics.leaseLost(),
      onAbort: (reason) => held.stopTurn({ kind: 'aborted', reason }),
      onWaits: () => held.endLinger?.('wake'),
      onUnlocked: () => held.endLinger?.('unlocked'),
    },
  );
  const { agent, principal } = begun.head;
  const history = new HeldHistory(limits, context.historyRoom);
  const { leaseMaxAgeMs: maxAgeMs } = limits;
  const held = new HeldSession(lease, keeper, { whose: { agent, principal }, history, maxAgeMs });
  held.next = begun;
  return held;
}

async function begin(
  { leases }: WorkerContext,
  claim: Claim,
  { id, ring, turnId, fence }: { id: string; ring: string; turnId: string; fence: number },
): Promise<Begun | undefined> {
  // It may have begun though no answer came: the same turn is asked for again, until the claim is over.
  const begun = await insist(
    () => leases.begin({ id, token: claim.token, fence }, { turnId, ring }),
    { untilMs: claim.deadlineMs },
  );
  if (begun?.kind !== 'begun' && begun?.kind !== 'exhausted') return undefined;
  // Answered too late to be believed: let it expire, the sweep finds the session (L4).
  return monotonicMs() < claim.deadlineMs ? begun : undefined;
}

/**
 * Sends a ring round again under a new number; one that is not delayed keeps its place, the first. When Redis
 * stays away it comes to nothing, and the sweep rings again: that Redis is away has its own line.
 */
export async function passOn(
  context: WorkerContext,
  id: string,
  delayMs: number,
  sinceMs?: number,
): Promise<void> {
  const { leases, rings, log } = context;
  const ring = await insist(() => leases.drawRing(id, delayMs), patience(context));
  if (ring === undefined) log.debug({ session: id }, 'ring not passed on');
  else if (ring !== '') await rings.ring(id, ring, { delayMs, lifo: delayMs === 0, sinceMs });
}

function patience({ phase }: WorkerContext): Patience {
  return { untilMs: monotonicMs() + (phase === 'running' ? PATIENCE_MS : 1) };
}

/** Runs and lingers until the lease is given up; the caller's slot and permits are given back. */
export async function serveSession(
  context: WorkerContext,
  held: HeldSession,
  onIdle: () => void,
): Promise<void> {
  const { id } = held.lease;
  context.held.set(id, held);
  try {
    do {
      const after = await runNext(context, held);
      if (after === 'gone' || after === 'waits') return;
      if (after === 'more') {
        await handOver(context, held, 'yield');
        return;
      }
      onIdle();
    } while (await linger(context, held));
  } finally {
    held.keeper.stop();
    held.history.forget();
    if (context.held.get(id) === held) context.held.delete(id);
  }
}

/** The turns, from the one that was begun until the session is idle, or not this node's any more. */
async function runNext(context: WorkerContext, held: HeldSession) {
  const begun = held.takeNext();
  try {
    return begun ? await runTurns(context, held, begun) : 'gone';
  } finally {
    context.slots.give();
    context.permits.give(held.lease.id);
    context.lastAttempts.give(held.lease.id);
    held.stop = undefined;
  }
}
