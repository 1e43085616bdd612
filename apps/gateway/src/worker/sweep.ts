import { createHash } from 'node:crypto';
import type { Logger } from '@sluice/runtime';
import {
  type PauseNumbers,
  type Pauses,
  type Rings,
  type SessionEnds,
  StoreUnavailable,
  type Sweep,
} from '@sluice/store';

/** So many workers look at each partition: one may be about to die. */
const SWEEPERS_PER_PARTITION = 2;

type SweepingOptions = {
  readonly sweep: Sweep;
  readonly pauses: Pauses;
  readonly rings: Rings;
  readonly ends: SessionEnds;
  readonly nodeId: string;
  readonly partitions: number;
  readonly intervalMs: number;
  /** So many sessions had to be rung for. */
  onRung(sessions: number): void;
  readonly log: Logger;
  liveWorkers(): readonly string[];
};

/** Rings for sessions with work and no live holder, and copies SESSION_END records left behind (T7). */
export function startSweeping(options: SweepingOptions): { stop(): Promise<void> } {
  const { sweep, pauses, rings, ends, log, intervalMs } = options;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  async function sweepPartition(partition: number, numbers: PauseNumbers) {
    if (Object.keys(numbers).length > 0) await pauses.follow(partition, numbers);
    const { rings: due, overdueEnds } = await sweep(partition);
    for (const { id, ring } of due) await rings.ring(id, ring);
    if (due.length > 0) {
      options.onRung(due.length);
      log.debug({ partition, sessions: due.length }, 'sweep rang');
    }
    for (const record of overdueEnds) await ends.copy(record, partition);
  }

  async function round() {
    try {
      const numbers = await pauses.numbers();
      await Promise.all(mine(options).map((partition) => sweepPartition(partition, numbers)));
    } catch (err) {
      if (!(err instanceof StoreUnavailable)) log.error({ err }, 'sweep failed');
    }
    if (!stopped) timer = setTimeout(next, intervalMs);
  }

  let running = Promise.resolve();
  function next() {
    running = round();
  }
  next();
  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}

/** Rendezvous hashing: each partition belongs to the workers that score highest for it. */
function mine({ nodeId, partitions, liveWorkers }: SweepingOptions): number[] {
  const workers = liveWorkers();
  const all = Array.from({ length: partitions }, (_, partition) => partition);
  if (workers.length <= SWEEPERS_PER_PARTITION) return all;
  return all.filter((partition) => {
    const own = score(nodeId, partition);
    const ahead = workers.filter((w) => w !== nodeId && score(w, partition) > own);
    return ahead.length < SWEEPERS_PER_PARTITION;
  });
}

function score(node: string, partition: number): number {
  return createHash('sha1').update(`${node}:${partition}`).digest().readUInt32BE(0);
}
