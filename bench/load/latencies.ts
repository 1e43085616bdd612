import { build, type Histogram } from 'hdr-histogram-js';

/** Largest value, ten minutes: no measurement waits longer. */
const MAX_US = 600_000_000;

export type LatencySummary = {
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly p999_ms: number;
  readonly max_ms: number;
};

/** An HDR histogram of whole microseconds, exact to three digits. */
export class Latencies {
  readonly #histogram: Histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: MAX_US,
    numberOfSignificantValueDigits: 3,
  });

  record(ms: number): void {
    this.#histogram.recordValue(Math.min(MAX_US, Math.max(0, Math.round(ms * 1_000))));
  }

  get count(): number {
    return this.#histogram.totalCount;
  }

  /** 0 when nothing was recorded. */
  percentileMs(percentile: number): number {
    if (this.count === 0) return 0;
    return this.#histogram.getValueAtPercentile(percentile) / 1_000;
  }

  summary(): LatencySummary {
    return {
      p50_ms: this.percentileMs(50),
      p99_ms: this.percentileMs(99),
      p999_ms: this.percentileMs(99.9),
      max_ms: this.percentileMs(100),
    };
  }
}
