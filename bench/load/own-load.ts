import { performance } from 'node:perf_hooks';
import { rounded } from '../report/numbers.js';
import { Latencies } from './latencies.js';

/** Above this share of its time the generator may be what is measured. */
const BUSY_MAX = 0.9;
/** Messages that were sent later than this say nothing about the program. */
const LAG_P99_MAX_MS = 20;

export type OwnLoadSummary = {
  /** Of one core. */
  readonly load_cpu_share: number;
  /** Of the time in which its loop had something to do, whether the machine let it run or not. */
  readonly load_busy_share: number;
  readonly load_lag_p99_ms: number;
  readonly load_limited: boolean;
};

/** Whether what was measured may be the generator. */
export const isLimit = (busyShare: number, lagP99Ms: number): boolean =>
  busyShare > BUSY_MAX || lagP99Ms > LAG_P99_MAX_MS;

/** What the load itself costs, and whether it could be the limit. */
export class OwnLoad {
  /** Behind the intended times; empty where the load has none. */
  readonly lag = new Latencies();
  readonly #cpu = process.cpuUsage();
  readonly #loop = performance.eventLoopUtilization();
  readonly #startMs = performance.now();

  summary(): OwnLoadSummary {
    const elapsedMs = performance.now() - this.#startMs;
    const { user, system } = process.cpuUsage(this.#cpu);
    const busy = performance.eventLoopUtilization(this.#loop).utilization;
    const lagMs = this.lag.percentileMs(99);
    return {
      load_cpu_share: rounded((user + system) / 1_000 / elapsedMs),
      load_busy_share: rounded(busy),
      load_lag_p99_ms: rounded(lagMs),
      load_limited: isLimit(busy, lagMs),
    };
  }
}
