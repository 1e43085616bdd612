import { monitorEventLoopDelay } from 'node:perf_hooks';
import { sleep } from '@sluice/runtime';
import type { TestRedis } from '@sluice/testkit';

/** How slow the machine itself was; pauses cannot be judged without it. */
export type Strain = { readonly loopMs: number; readonly redisMs: number };

/**
 * Watches the rig's event loop, in which agents and proxies run, and PINGs Redis over its own connection.
 * `loopMs` is the longest delay. `redisMs` is the 99th percentile, since the run also restarts Redis.
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

/** The smallest value that at least this share of the values does not exceed; 0 if there are none. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? 0;
}
