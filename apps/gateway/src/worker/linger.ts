import { makeId } from '@sluice/runtime';
import { insist, type WorkerContext } from './context.js';
import { handOver } from './hand-over.js';
import type { EndLinger, HeldSession } from './held-session.js';
import type { Begun } from './turn-loop.js';

/**
 * Keeps the lease of a drained session for a while, without a slot, so that the next message needs
 * neither ring nor Redlock. Answers the turn that a wake has started (a slot is then taken), or
 * undefined when the lease is given up.
 */
export async function linger(
  context: WorkerContext,
  held: HeldSession,
): Promise<Begun | undefined> {
  const { slots, permits, limits } = context;
  const endMs = performance.now() + limits.lingerMs;
  held.turns = 0;
  held.keeper.idle();
  for (;;) {
    const why = await waitForWake(context, held, endMs - performance.now());
    if (held.keeper.lost.aborted) return undefined;
    if (why !== 'wake' && (await handOver(context, held, 'idle')) === 'released') return undefined;
    // Something waits: a wake, or a message that came while the lease was being given up.
    const goesOn = why !== 'unlocked' && context.phase !== 'hand_over';
    if (!goesOn || !(await mayRun(context, held))) {
      await handOver(context, held, 'yield');
      return undefined;
    }
    const head = held.takeWake();
    if (head) {
      held.keeper.run();
      return { kind: 'begun', head };
    }
    const turnId = makeId('turn'); // made before the first try: a repeat gets the same turn
    const begun = await insist(
      () => context.leases.begin(held.lease, { turnId }),
      held.keeper.lost,
    );
    if (begun?.kind === 'begun' || begun?.kind === 'exhausted') {
      held.keeper.run();
      return begun;
    }
    slots.give();
    permits.give(held.lease.id);
    if (begun?.kind === 'refused' && begun.why === 'paused') {
      await handOver(context, held, 'yield');
      return undefined;
    }
    if (begun?.kind !== 'empty') return undefined;
  }
}

/** A slot of this node and permits of the cluster, or neither. */
async function mayRun({ slots, permits }: WorkerContext, held: HeldSession): Promise<boolean> {
  if (!slots.tryTake()) return false;
  const permitted = await insist(() => permits.take(held.lease.id, held.whose), held.keeper.lost);
  if (permitted?.kind === 'taken') return true;
  slots.give();
  return false;
}

type WhyEnded = EndLinger | 'end' | 'lost';

function waitForWake(context: WorkerContext, held: HeldSession, ms: number): Promise<WhyEnded> {
  if (held.isWoken) return Promise.resolve('wake');
  if (context.phase !== 'running' || context.lingering >= context.limits.maxLingering) {
    return Promise.resolve('drain');
  }
  context.lingering++;
  return new Promise((resolve) => {
    const end = (why: WhyEnded) => {
      clearTimeout(timer);
      held.keeper.lost.removeEventListener('abort', onLost);
      held.endLinger = undefined;
      context.lingering--;
      resolve(why);
    };
    const onLost = () => end('lost');
    const timer = setTimeout(() => end('end'), Math.max(0, ms));
    held.keeper.lost.addEventListener('abort', onLost, { once: true });
    held.endLinger = end;
  });
}
