import type { Redis } from 'ioredis';
import { Redlock } from 'redlock';

const LOCK_MS = 10_000;
/** A taken lock is tried again every 20 to 30 ms, for as long as a job may take. */
const retries = { retryDelay: 20, retryJitter: 10, retryCount: 30_000 };

/**
 * Runs the jobs of a session one after the other. Within this process they keep their order; between processes
 * a lock separates them, which is extended while the job runs.
 */
export function makeInTurn(redis: Redis) {
  const redlock = new Redlock([redis], retries);
  const last = new Map<string, Promise<unknown>>();
  return async (session: string, job: () => Promise<void>): Promise<void> => {
    const before = last.get(session) ?? Promise.resolve();
    const run = before
      .catch(() => undefined)
      .then(() => redlock.using([`lock:${session}`], LOCK_MS, job));
    last.set(session, run);
    try {
      await run;
    } finally {
      if (last.get(session) === run) last.delete(session);
    }
  };
}
