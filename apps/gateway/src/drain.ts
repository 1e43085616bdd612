import { exitStatus, type Logger, runSteps } from '@sluice/runtime';
import type { Store } from '@sluice/store';
import { closeEdge, drainConnections } from './edge/drain.js';
import type { RunningEdge } from './edge/edge.js';
import type { Presence } from './node/presence.js';
import { drainWorker, type WorkerDrained } from './worker/drain.js';
import type { RunningWorker } from './worker/worker.js';

/** Time after the deadline for releases, closes and the last writes (D7 allows 2 s). */
const FORCE_MS = 1_500;

export type DrainParts = {
  readonly edge: RunningEdge;
  readonly worker: RunningWorker | undefined;
  readonly presence: Presence;
  readonly store: Store;
  readonly log: Logger;
};

/**
 * Drains the node: clients are moved while turns go on; what is left at the deadline is cut, recorded and handed over.
 * `force` moves the deadline to now. Returns the exit status: 0, or 75 when something was not released.
 */
export async function drainNode(
  { edge, worker, presence, store, log }: DrainParts,
  { drainTimeoutMs, closeSpreadMs }: { drainTimeoutMs: number; closeSpreadMs: number },
  force: AbortSignal,
): Promise<number> {
  // Not AbortSignal.timeout: a signal that only `any` refers to may be garbage-collected, and then never fires.
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), drainTimeoutMs);
  const deadline = AbortSignal.any([over.signal, force]);
  presence.drain();
  let drained: WorkerDrained = { forced: 0, released: true };
  const failed = await runSteps(
    [
      {
        name: 'turns and connections',
        limitMs: drainTimeoutMs + FORCE_MS,
        run: async () => {
          const moving = drainConnections(edge, { spreadMs: closeSpreadMs, deadline });
          if (worker) {
            drained = await drainWorker(worker, store.nodes, { deadline, info: presence.info() });
          }
          await moving;
        },
      },
      { name: 'last closes', limitMs: 300, run: () => closeEdge(edge) },
      { name: 'rings', limitMs: 300, run: () => store.rings.settled() },
      { name: 'leave', limitMs: 200, run: () => presence.stop() },
      { name: 'connections to Redis', limitMs: 300, run: () => store.close() },
    ],
    log,
  );
  clearTimeout(timer);
  edge.server.close();
  const released = drained.released && !failed.includes('turns and connections');
  log.info({ forced: drained.forced, released, failed }, 'drained');
  return released ? exitStatus.ok : exitStatus.tempFail;
}
