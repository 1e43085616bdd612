import { performance } from 'node:perf_hooks';
import { rounded } from '../report/numbers.js';
import { Latencies } from './latencies.js';

/** If the generator is busier than this, it may be the limit that is measured. */
const BUSY_MAX = 0.9;
/** If messages are sent later than this, the results say nothing about the program. */
const LAG_P99_MAX_MS = 20;

export type OwnLoadSummary = {
  /** Share of one core. */
  readonly load_cpu_share: number;
  /** Share of the time in which its event loop had work, whether or not the machine let it run. */
  readonly load_busy_share: number;
  readonly load_lag_p99_ms: number;
  readonly load_limited: boolean;
};

/** Whether the generator may have been the limit. */
export const isLimit = (busyShare: number, lagP99Ms: number): boolean =>
  busyShare > BUSY_MAX || lagP99Ms > LAG_P99_MAX_MS;

/** What the load generator itself costs, and whether it may be the limit. */
export class OwnLoad {
  /** How late messages were sent; empty if the load has no fixed times. */
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
