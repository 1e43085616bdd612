import { failpoint, sleep } from '@sluice/runtime';
import {
  type PlainCall,
  RING_BLOCK_MS,
  RING_QUEUE,
  type RingJob,
  type RingQueues,
} from '@sluice/store';
import { type ConnectionOptions, type Job, RedisConnection, Worker } from 'bullmq';

const doneCall: PlainCall = 'ring-done';

export type Consumer = {
  /** Takes no more rings from this call on; resolves when the taken ones are answered. */
  pause(): Promise<void>;
  close(): Promise<void>;
};

type ConsumerOptions = {
  readonly queues: Pick<RingQueues, 'connection' | 'prefixes'>;
  readonly concurrency: number;
  readonly leaseTtlMs: number;
  onError(error: unknown): void;
};

const RING_BLOCK_S = RING_BLOCK_MS / 1_000;
/** Pause after Redis has refused to give rings: BullMQ alone would ask again at once. */
const REFUSED_MS = 500;
/** Pause of BullMQ between two tries while Redis is away. */
const AWAY_MS = 500;

// The store has checked the version. BullMQ does not ask for it here, and would assume 5, and wait in whole seconds.
RedisConnection.minimumVersion = '7.0.0';

/**
 * BullMQ's worker with three changes. It never blocks for longer than Redis may be silent. It waits after a refusal.
 * And after a queue was empty, a finished job does not ask it for the next one: the loop waits there already.
 */
class RingWorker extends Worker<RingJob> {
  private isDry = false;
  override get maximumBlockTimeout(): number {
    return RING_BLOCK_S;
  }
  protected override async moveToActive(token: string, name?: string): Promise<Job<RingJob>> {
    try {
      const job = await super.moveToActive(token, name);
      this.isDry = job === undefined;
      return job;
    } catch (error) {
      await sleep(REFUSED_MS);
      throw error;
    }
  }
  override processJob(job: Job<RingJob>, token: string, fetchNext = () => true) {
    return super.processJob(job, token, () => !this.isDry && fetchNext());
  }
}

/** Takes rings from all queues of BullMQ: each job names a session that has work (docs/internals/adr). */
export function consume(
  onRing: (ring: RingJob) => Promise<void>,
  options: ConsumerOptions,
): Consumer {
  const workers = options.queues.prefixes.map((prefix) => openWorker(onRing, prefix, options));
  const each = async (act: (worker: RingWorker) => Promise<void>) => {
    await Promise.all(workers.map(act));
  };
  return {
    // Not pause(true): that goes on waiting at Redis, and may take the ring of a session that this node hands over. A
    // drain that ends meanwhile would take that ring along.
    pause: () => each((worker) => worker.pause(false)),
    close: () => each((worker) => worker.close(true)),
  };
}

function openWorker(
  onRing: (ring: RingJob) => Promise<void>,
  prefix: string,
  { queues, concurrency, leaseTtlMs, onError }: ConsumerOptions,
): RingWorker {
  const worker = new RingWorker(
    RING_QUEUE,
    async ({ data, timestamp, opts }) => {
      // BullMQ hands out few at a time. The place in line is by when the ring was due, not by when it came here.
      await onRing({ ...data, sinceMs: data.sinceMs ?? timestamp + (opts.delay ?? 0) });
      failpoint(doneCall, 'before');
    },
    {
      connection: queues.connection as ConnectionOptions,
      prefix,
      // All of it for each queue: the sessions of one may have all the work, and the slots are shared by all.
      // Never changed later: while BullMQ's loop waits for a running job, it does not see a higher number.
      concurrency,
      lockDuration: leaseTtlMs,
      stalledInterval: 1_000,
      maxStalledCount: 1_000,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
      skipVersionCheck: true,
      drainDelay: RING_BLOCK_S,
      runRetryDelay: AWAY_MS,
    },
  );
  worker.on('error', onError);
  worker.on('completed', () => failpoint(doneCall, 'after'));
  return worker;
}
