import { sleep, within } from '@sluice/runtime';
import type { Store } from '@sluice/store';
import { handOver } from './held/hand-over.js';
import type { HeldSession } from './held/held-session.js';
import { repeatWhileAway } from './held/repeat-while-away.js';
import type { RunningWorker } from './worker.js';

/** Time for the releases after the deadline; D7 allows 2 s for all that follows it. */
const FORCE_LIMIT_MS = 1_200;
const COUNT_LIMIT_MS = 1_000;
const LOOK_MS = 20;

/** `forced`: sessions that were cut; `released`: all of them were given up, none is left to its TTL. */
export type WorkerDrained = { readonly forced: number; readonly released: boolean };

/**
 * Drains the worker role (D1 to D5): takes no more rings, lets running turns finish until `deadline`
 * aborts, hands over what waits, then cuts what still runs. Never longer than the deadline + 1.6 s.
 */
export async function drainWorker(
  worker: RunningWorker,
  nodes: Store['nodes'],
  { deadline, info }: { deadline: AbortSignal; info: object },
): Promise<WorkerDrained> {
  const { context, consumer, sweeping, serving } = worker;
  const reached = new Promise<undefined>((resolve) => {
    if (deadline.aborted) resolve(undefined);
    else deadline.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  context.phase = 'sole'; // until the answer comes: rings go to other nodes, sessions stay
  context.slots.dismiss();
  const pausing = consumer.pause().catch(() => undefined);
  // A late answer still counts from then on: a node with a slow Redis does not take itself for the only one for good.
  const counting = repeatWhileAway(() => nodes.drain(info), deadline)
    .then((others) => {
      if (others) context.phase = 'hand_over';
    })
    .catch(() => undefined);
  await Promise.race([within(counting, COUNT_LIMIT_MS), reached]);
  for (const held of context.held.values()) held.endLinger?.('drain');

  const allServed = (async () => {
    await sweeping.stop();
    while (serving.size > 0) await Promise.all(serving);
  })();
  await Promise.race([allServed, reached]);
  await within(pausing, 100);
  const drained = await within(cutAll(worker), FORCE_LIMIT_MS);
  context.permits.stop();
  context.renewals.stop();
  await within(
    consumer.close().catch(() => undefined),
    300,
  );
  return drained ?? { forced: context.held.size, released: false };
}

/**
 * Releases every session that is still held, and stops its turn (D3). Also sessions whose rings were being answered
 * at the deadline.
 */
async function cutAll({ context, serving }: RunningWorker): Promise<WorkerDrained> {
  const cuts = new Map<HeldSession, Promise<boolean>>();
  const cut = (held: HeldSession) => {
    const released = handOver(context, held, 'force').then(
      () => true,
      (err) => {
        context.log.error({ err, session: held.lease.id }, 'session not released');
        return false;
      },
    );
    held.stopTurn({ kind: 'drain' });
    return released;
  };
  for (;;) {
    for (const held of context.held.values()) {
      if (!cuts.has(held)) cuts.set(held, cut(held));
    }
    if (serving.size === 0) break;
    await Promise.race([Promise.all(serving), sleep(LOOK_MS)]);
  }
  const all = await Promise.all(cuts.values());
  return { forced: all.length, released: all.every(Boolean) };
}
