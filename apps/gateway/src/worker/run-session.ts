import { makeId, monotonicMs } from '@sluice/runtime';
import type { Claim, FreeSession, RingJob } from '@sluice/store';
import type { WorkerContext } from './held/context.js';
import { handOver } from './held/hand-over.js';
import { HeldHistory } from './held/held-history.js';
import { type Begun, HeldSession } from './held/held-session.js';
import { keepLease } from './held/lease-keeper.js';
import { linger } from './held/linger.js';
import { type Patience, repeatWhileAway } from './held/repeat-while-away.js';
import { runTurns } from './turns/turn-loop.js';

/** Delay of a ring that finds the Redlock taken but no live holder. */
const TAKEN_DELAY_MS = 250;
/**
 * With a quorum it is longer, by up to this share of the TTL at random. The Redlock of a holder that died idle ends
 * only with its TTL. And nodes that have split the members between them must not meet again.
 */
const TAKEN_SHARE = 0.2;
/**
 * How long a call for a ring is repeated, so that a Redis that is slow for a moment costs only that moment. If the call
 * is given up, the session waits for the sweep, or for the TTL of a lease without a holder. A draining node asks once.
 */
const PATIENCE_MS = 5_000;
/** A last attempt that has to wait for others comes again after this, and up to as much more at random. */
const LAST_DELAY_MS = 500;

/**
 * Takes the session of a ring: peek, unless the ring says what that would find, then permits, Redlock, `turn-begin`.
 * undefined: this node has nothing to do. `not_here`: it does not have the agent. Throws NoMajority.
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
  const peeked = await repeatWhileAway(() => leases.peek(id, ring.ring), until);
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
    else await passOn(context, id, takenDelayMs(context)); // or its mark would hold back other rings until the sweep
  } finally {
    if (!taken) lastAttempts.give(id);
  }
  return taken;
}

function takenDelayMs({ leases, limits }: WorkerContext): number {
  const moreMs = leases.hasQuorum ? Math.random() * limits.leaseTtlMs * TAKEN_SHARE : 0;
  return Math.round(TAKEN_DELAY_MS + moreMs);
}

/** Takes permits, then the lease. undefined: the ring was passed on. `refused`: the session is not free any more. */
async function takePermitted(
  context: WorkerContext,
  { id, ring }: RingJob,
  { free, until }: { free: FreeSession; until: Patience },
): Promise<HeldSession | 'refused' | undefined> {
  const { permits } = context;
  const permitted = await repeatWhileAway(() => permits.take(id, free), until);
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

/** Takes the Redlock and begins a turn. undefined: another holder was first, or nothing may begin. */
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
  if (begun.head.isCut) metrics.turnCut(); // counted here: the node that cut the turn is not scraped any more
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
  // The turn may have begun although no answer came: the same one is asked for again, until the claim is over.
  const begun = await repeatWhileAway(
    () => leases.begin({ id, token: claim.token, fence }, { turnId, ring }),
    { untilMs: claim.deadlineMs },
  );
  if (begun?.kind !== 'begun' && begun?.kind !== 'exhausted') return undefined;
  // After the claim the answer is not trusted: the lease expires, and the sweep finds the session (L4).
  return monotonicMs() < claim.deadlineMs ? begun : undefined;
}

/**
 * Sends a ring round again under a new number. Without a delay it is the next one to be taken. If Redis stays away, the
 * ring is lost, and the sweep rings again. No warning here: that Redis is away has its own line in the log.
 */
export async function passOn(
  context: WorkerContext,
  id: string,
  delayMs: number,
  sinceMs?: number,
): Promise<void> {
  const { leases, rings, log } = context;
  const ring = await repeatWhileAway(() => leases.drawRing(id, delayMs), patience(context));
  if (ring === undefined) log.debug({ session: id }, 'ring not passed on');
  else if (ring !== '') await rings.ring(id, ring, { delayMs, lifo: delayMs === 0, sinceMs });
}

function patience({ phase }: WorkerContext): Patience {
  return { untilMs: monotonicMs() + (phase === 'running' ? PATIENCE_MS : 1) };
}

/** Runs turns and lingers until the lease is given up or lost; gives the caller's slot and permits back. */
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
      if (after === 'waits') held.isReleased = true;
      if (after === 'gone') await giveBack(context, held);
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
    if (!held.isReleased) void context.leases.forget(held.lease).catch(() => undefined);
    if (context.held.get(id) === held) context.held.delete(id);
  }
}

/**
 * A turn that was cut because no majority of the quorum renewed its lease is handed over. The data Redis answers, so
 * the session need not wait for the sweep, and the attempt is not counted as cut short by a death (T3, T4).
 */
async function giveBack(context: WorkerContext, held: HeldSession): Promise<void> {
  if (context.leases.hasQuorum && held.keeper.isLate) await handOver(context, held, 'lost');
}

/** Runs turns, from the begun one on, until the session is idle or does not belong to this node any more. */
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
