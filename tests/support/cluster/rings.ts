import { RING_QUEUE, type RingJob } from '@sluice/store';
import { eventually, stopLater, type TestRedis } from '@sluice/testkit';
import { type ConnectionOptions, type Job, Queue } from 'bullmq';
import type { Cluster } from './cluster.js';

/** The queue of a cluster's rings, closed when the file ends. */
export function ringsOf(redis: TestRedis, cluster: Cluster): Queue<RingJob> {
  const queue = new Queue<RingJob>(RING_QUEUE, {
    connection: redis.client() as ConnectionOptions,
    prefix: cluster.keys.ringPrefix,
  });
  stopLater(() => queue.close());
  return queue;
}

/** The one ring that waits for a worker. */
export async function waitingRing(queue: Queue<RingJob>): Promise<Job<RingJob>> {
  return eventually(async () => {
    const [job, ...others] = await queue.getJobs(['waiting']);
    if (!job || others.length > 0) throw new Error(`${others.length + (job ? 1 : 0)} rings wait`);
    return job;
  });
}
