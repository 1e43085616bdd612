import { within } from '@sluice/runtime';
import type { Store } from '@sluice/store';
import { handOver } from './hand-over.js';
import type { RunningWorker } from './worker.js';

/** What a release may take once the deadline has passed; D7 allows 2 s for all that follows it. */
const FORCE_LIMIT_MS = 1_200;

export type WorkerDrained = { readonly forced: number; readonly released: boolean };

/**
 * Drains the worker role (D1 to D5): takes no more rings, lets running turns finish until `deadline`
 * aborts, hands over what waits, then cuts what still runs. Never longer than the deadline + 1.2 s.
 */
export async function drainWorker(
  { context, consumer, sweeping, serving }: RunningWorker,
  nodes: Store['nodes'],
  { deadline, info }: { deadline: AbortSignal; info: object },
): Promise<WorkerDrained> {
  const others = await within(
    nodes.drain(info).catch(() => undefined),
    1_000,
  );
  context.phase = others ? 'hand_over' : 'sole';
  const pausing = consumer.pause().catch(() => undefined);
  for (const held of context.held.values()) held.endLinger?.('drain');
  await sweeping.stop();

  const allServed = (async () => {
    while (serving.size > 0) await Promise.all(serving);
  })();
  const reached = new Promise<void>((resolve) => {
    if (deadline.aborted) resolve();
    else deadline.addEventListener('abort', () => resolve(), { once: true });
  });
  await Promise.race([allServed, reached]);
  await within(pausing, 100);

  const running = [...context.held.values()];
  const released = await within(
    Promise.all(
      running.map(async (held) => {
        const cut = handOver(context, held, 'force');
        held.stopTurn({ kind: 'drain' });
        await cut;
      }),
    ),
    FORCE_LIMIT_MS,
  );
  await within(
    consumer.close().catch(() => undefined),
    300,
  );
  return { forced: running.length, released: released !== undefined };
}
