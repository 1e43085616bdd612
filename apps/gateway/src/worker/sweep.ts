import { createHash } from 'node:crypto';
import { type Logger, monotonicMs } from '@sluice/runtime';
import {
  type Damage,
  type PauseNumbers,
  type Pauses,
  type Rings,
  type SessionEnds,
  StoreUnavailable,
  type Sweep,
} from '@sluice/store';

/** Workers that look at each partition: one of them may be about to die. */
const SWEEPERS_PER_PARTITION = 2;
/**
 * An idle partition is looked at again after this time at the latest. New work is never due sooner: a ring has 2 s to
 * be answered, a new lease its TTL. The one exception is a message for a lingering holder that then dies: it waits no
 * longer than this.
 */
const QUIET_MAX_MS = 2_000;

type LooksOptions = {
  readonly nodeId: string;
  readonly partitions: number;
  readonly leaseTtlMs: number;
  liveWorkers(): readonly string[];
};

type SweepingOptions = LooksOptions & {
  readonly sweep: Sweep;
  readonly pauses: Pauses;
  readonly rings: Rings;
  readonly ends: SessionEnds;
  readonly intervalMs: number;
  /** Called with the number of sessions that had to be rung for. */
  onRung(sessions: number): void;
  readonly damage: Damage;
  readonly log: Logger;
};

/** Rings for sessions with work and no live holder, and copies SESSION_END records that were not copied (T7). */
export function startSweeping(options: SweepingOptions): { stop(): Promise<void> } {
  const { sweep, pauses, rings, ends, log, intervalMs } = options;
  const looks = new Looks(options);
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  async function sweepPartition(partition: number, numbers: PauseNumbers) {
    if (Object.keys(numbers).length > 0) await pauses.follow(partition, numbers);
    const { rings: due, overdueEnds, nextDueMs } = await sweep(partition);
    looks.looked(partition, nextDueMs);
    for (const { id, ring } of due) await rings.ring(id, ring);
    if (due.length > 0) {
      options.onRung(due.length);
      log.debug({ partition, sessions: due.length }, 'sweep rang');
    }
    for (const record of overdueEnds) await ends.copy(record, partition);
  }

  const tellOf = (partition?: number) => (err: unknown) => {
    if (err instanceof StoreUnavailable) return;
    options.damage(partition === undefined ? 'sweep' : `partition ${partition}`, {
      partition,
      err,
    });
  };

  async function round() {
    try {
      const due = looks.due();
      const numbers = due.length > 0 ? await pauses.numbers() : {};
      // Each partition by itself: a damaged one does not keep the others from their sweep.
      await Promise.all(
        due.map((partition) => sweepPartition(partition, numbers).catch(tellOf(partition))),
      );
    } catch (err) {
      tellOf()(err);
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

/** The partitions that this worker looks at, and when: not before something can be due there. */
class Looks {
  private workers = '';
  private mine: readonly number[] = [];
  private readonly nextMs = new Map<number, number>();

  constructor(private readonly options: LooksOptions) {}

  due(): number[] {
    const workers = [...this.options.liveWorkers()].sort();
    if (workers.join() !== this.workers) {
      this.workers = workers.join();
      this.mine = partitionsOf(this.options, workers);
      this.nextMs.clear(); // all are due: perhaps no worker has looked at those that this one takes over
    }
    const nowMs = monotonicMs();
    return this.mine.filter((partition) => (this.nextMs.get(partition) ?? 0) <= nowMs);
  }

  /** An idle partition is looked at every 1 to 2 s, at random, so that not all come together. */
  looked(partition: number, nextDueMs: number): void {
    const quietMs = Math.min(QUIET_MAX_MS, this.options.leaseTtlMs) * (0.5 + Math.random() / 2);
    this.nextMs.set(partition, monotonicMs() + Math.min(nextDueMs, quietMs));
  }
}

/** Rendezvous hashing: each partition belongs to the workers that score highest for it. */
function partitionsOf({ nodeId, partitions }: LooksOptions, workers: readonly string[]): number[] {
  const all = Array.from({ length: partitions }, (_, partition) => partition);
  if (workers.length <= SWEEPERS_PER_PARTITION) return all;
  return all.filter((partition) => {
    const ours = score(nodeId, partition);
    const ahead = workers.filter((w) => w !== nodeId && score(w, partition) > ours);
    return ahead.length < SWEEPERS_PER_PARTITION;
  });
}

function score(node: string, partition: number): number {
  return createHash('sha1').update(`${node}:${partition}`).digest().readUInt32BE(0);
}
