import { makeId, monotonicMs } from '@sluice/runtime';
import type { WorkerContext } from './context.js';
import { handOver } from './hand-over.js';
import type { HeldSession } from './held-session.js';
import type { WhyEnded } from './lingering.js';
import { repeatWhileAway } from './repeat-while-away.js';

/** A woken session waits in line for at most this time. Then it is rung, so that scaling by the rings sees it. */
const WOKEN_LINE_MS = 5_000;

/**
 * Keeps the lease of an idle session, without a slot, so that the next message needs neither ring nor Redlock. True:
 * the next turn has begun, and a slot is taken for it. False: the lease is given up or lost.
 */
export async function linger(context: WorkerContext, held: HeldSession): Promise<boolean> {
  const { slots, permits } = context;
  held.turns = 0;
  held.keeper.idle();
  for (;;) {
    const why = await waitForWake(context, held);
    if (held.keeper.lost.aborted) return false;
    if (why !== 'wake' && (await handOver(context, held, 'idle')) === 'released') return false;
    // Something waits: a wake, or a message that came while the lease was being given up.
    const sinceMs = Date.now();
    if (why === 'unlocked' || !(await mayRun(context, held, sinceMs))) {
      await handOver(context, held, 'yield', sinceMs);
      return false;
    }
    const began = await begin(context, held);
    if (began === 'begun') {
      held.keeper.run();
      return true;
    }
    slots.give();
    permits.give(held.lease.id);
    if (began === 'paused') {
      await handOver(context, held, 'yield');
      return false;
    }
    if (began !== 'empty') return false;
  }
}

/** Begins the turn that the wake has brought, or asks Redis to begin one. */
async function begin(
  { leases }: WorkerContext,
  held: HeldSession,
): Promise<'begun' | 'paused' | 'empty' | 'refused'> {
  const head = held.takeWake();
  if (head) {
    held.next = { kind: 'begun', head };
    return 'begun';
  }
  const turnId = makeId('turn'); // made before the first try, so that a repeat gets the same turn
  const begun = await repeatWhileAway(() => leases.begin(held.lease, { turnId }), held.keeper.lost);
  if (begun?.kind === 'begun' || begun?.kind === 'exhausted') {
    held.next = begun;
    return 'begun';
  }
  if (begun?.kind === 'empty') return 'empty';
  return begun?.why === 'paused' ? 'paused' : 'refused';
}

/**
 * Takes a slot of this node and permits of the cluster, or neither. False also on a node that hands its sessions over.
 * The session waits for a slot only while no other node has one: then giving it away gains nothing.
 */
async function mayRun(
  context: WorkerContext,
  held: HeldSession,
  sinceMs: number,
): Promise<boolean> {
  const { slots, permits } = context;
  const mayTurn = () => context.phase !== 'hand_over' && !held.keeper.lost.aborted;
  const untilMs = monotonicMs() + WOKEN_LINE_MS;
  const mayStay = () =>
    mayTurn() && monotonicMs() < untilMs && !context.takeRoomElsewhere(held.whose.agent);
  if (!mayTurn() || !(await slots.take({ sinceMs, mayStay }))) return false;
  const permitted = mayTurn()
    ? await repeatWhileAway(() => permits.take(held.lease.id, held.whose), held.keeper.lost)
    : undefined;
  if (permitted?.kind === 'taken') return true;
  slots.give();
  return false;
}

async function waitForWake(
  { phase, lingering }: WorkerContext,
  held: HeldSession,
): Promise<WhyEnded> {
  if (held.isWoken) return 'wake';
  return phase === 'running' && !held.isOld ? lingering.wait(held) : 'end';
}
