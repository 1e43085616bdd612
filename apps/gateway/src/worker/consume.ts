import { failpoint, sleep } from '@sluice/runtime';
import { type PlainCall, RING_BLOCK_MS, RING_QUEUE, type RingJob } from '@sluice/store';
import { type ConnectionOptions, type Job, RedisConnection, Worker } from 'bullmq';

const doneCall: PlainCall = 'ring-done';

export type Consumer = {
  /** Takes no more rings from the call on; resolves when those that it had are answered. */
  pause(): Promise<void>;
  close(): Promise<void>;
};

type ConsumerOptions = {
  readonly connection: ConnectionOptions;
  readonly prefix: string;
  readonly concurrency: number;
  readonly leaseTtlMs: number;
  onError(error: unknown): void;
};

const RING_BLOCK_S = RING_BLOCK_MS / 1_000;
/** A Redis that refuses to give rings is asked again so soon: BullMQ alone would ask without a pause. */
const REFUSED_MS = 500;
/** BullMQ waits so long for a Redis that is away. */
const AWAY_MS = 500;

// The store has looked at the version itself. BullMQ, which does not ask, takes it for 5, and waits in whole seconds.
RedisConnection.minimumVersion = '7.0.0';

/**
 * BullMQ's worker, which never blocks for longer than silence may last, waits after a refusal, and does not ask a
 * queue that had nothing for more with each answer: its loop waits there already.
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

/** BullMQ is the doorbell: each job names a session that has work (docs/internals/adr). */
export function consume(
  onRing: (ring: RingJob) => Promise<void>,
  { connection, prefix, concurrency, leaseTtlMs, onError }: ConsumerOptions,
): Consumer {
  const worker = new RingWorker(
    RING_QUEUE,
    async ({ data, timestamp, opts }) => {
      // In line it stands where it would if it had come here at once, though BullMQ hands few out at a time.
      await onRing({ ...data, sinceMs: data.sinceMs ?? timestamp + (opts.delay ?? 0) });
      failpoint(doneCall, 'before');
    },
    {
      connection,
      prefix,
      // Never changed: while its loop waits for a running job it does not see a higher number.
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
  return {
    // Not pause(true): that goes on waiting at Redis, catches the ring for this node's own heir, and a
    // drain that ends meanwhile takes it along.
    pause: () => worker.pause(false),
    close: () => worker.close(true),
  };
}
