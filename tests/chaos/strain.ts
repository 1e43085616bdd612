import { monitorEventLoopDelay } from 'node:perf_hooks';
import { sleep } from '@sluice/runtime';
import type { TestRedis } from '@sluice/testkit';

/** How slow the machine itself was: without it no pause can be judged. */
export type Strain = { readonly loopMs: number; readonly redisMs: number };

/**
 * Watches the rig's own event loop, in which agents and proxies live, and a Redis connection of its own.
 * `redisMs` is the 99th percentile of a PING: restarts of Redis are part of the run.
 */
export function watchStrain(redis: TestRedis): { stop(): Promise<Strain> } {
  const loop = monitorEventLoopDelay({ resolution: 10 });
  loop.enable();
  const client = redis.client();
  const ended = new AbortController();
  const pings: number[] = [];
  const watching = (async () => {
    while (!ended.signal.aborted) {
      const startMs = performance.now();
      await client.ping().catch(() => undefined);
      pings.push(performance.now() - startMs);
      await sleep(100, ended.signal);
    }
  })();
  return {
    stop: async () => {
      ended.abort();
      await watching;
      loop.disable();
      return { loopMs: loop.max / 1e6, redisMs: quantile(pings, 0.99) };
    },
  };
}

/** The smallest of the values that at least this part of them does not exceed; 0 without any. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? 0;
}
