import { betweenFailpoints } from '@sluice/runtime';
import { type ConnectionOptions, Queue } from 'bullmq';
import type { Cluster, Redis } from 'ioredis';
import type { PlainCall } from '../script/failpoints.js';

const addCall: PlainCall = 'ring-add';

/** BullMQ's queue of rings; the job carries the id of a session and nothing of its messages. */
export const RING_QUEUE = 'ring';
export type RingJob = {
  readonly id: string;
  readonly ring: string;
  /** Nobody held the session when the ring was drawn: a worker may try to begin without a peek. */
  readonly free?: FreeSession | undefined;
  /** Since when the session has waited for a worker, in Unix ms; undefined: since this job was due. */
  readonly sinceMs?: number | undefined;
};

/** A session that nobody holds: its fence, and the agent and the principal for whom its next turn counts. */
export type FreeSession = {
  readonly fence: number;
  readonly agent: string;
  readonly principal: string;
};

export type RingOptions = {
  readonly free?: FreeSession | undefined;
  readonly lifo?: boolean;
  readonly delayMs?: number;
  readonly sinceMs?: number | undefined;
};

export type Rings = {
  /** Adds a ring. A failure is logged and not thrown: the sweep rings again (T7). */
  ring(id: string, ring: string, options?: RingOptions): Promise<void>;
  /** Resolves when no ring is being added; a drain waits for it. */
  settled(): Promise<void>;
  close(): Promise<void>;
};

/** A job id has no `:`, and ends in a number that a script drew: no older job can swallow a ring. */
function jobId(id: string, ring: string): string {
  return `r-${Buffer.from(id).toString('base64url')}-${ring}`;
}

type RingEvents = {
  /** A ring could not be added. */
  onFailed(error: unknown): void;
  /** The connection broke; it is tried again. */
  onError(error: unknown): void;
};

/** BullMQ's queues, by their prefixes; every worker serves all of them. */
export type RingQueues = {
  readonly connection: Redis | Cluster;
  readonly prefixes: readonly string[];
  /** Which of them gets a ring of this session. */
  pick(id: string): number;
};

/** Adds rings to the queues of BullMQ. */
export function makeRings(
  { connection, prefixes, pick }: RingQueues,
  { onFailed, onError }: RingEvents,
): Rings {
  const queues = prefixes.map((prefix) => {
    const queue = new Queue<RingJob>(RING_QUEUE, {
      connection: connection as ConnectionOptions,
      prefix,
      skipVersionCheck: true,
      streams: { events: { maxLen: 100 } },
      defaultJobOptions: { removeOnComplete: true, removeOnFail: true, attempts: 1 },
    });
    queue.on('error', onError);
    return queue;
  });
  const adding = new Set<Promise<void>>();
  return {
    ring(id, ring, { lifo = false, delayMs = 0, ...carried } = {}) {
      const options = { jobId: jobId(id, ring), lifo, delay: delayMs };
      const added = betweenFailpoints(addCall, async () =>
        queues[pick(id)]?.add(RING_QUEUE, { id, ring, ...carried }, options),
      ).then(() => undefined, onFailed);
      adding.add(added);
      return added.finally(() => adding.delete(added));
    },
    async settled() {
      await Promise.all(adding);
    },
    async close() {
      await Promise.all(queues.map((queue) => queue.close()));
    },
  };
}
