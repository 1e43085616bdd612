import { sleep } from '@sluice/runtime';

export type Pace = {
  readonly count: number;
  readonly everyMs: number;
  /** Records how late each message was sent. */
  readonly lag: { record(ms: number): void };
};

/**
 * Sends at fixed times, however late the replies come. `send` gets the time at which the message was due;
 * latency counts from then. So a program that stalls gets as many messages as one that does not, and each
 * message that waited is in the percentiles (no coordinated omission).
 */
export async function keepPace(
  { count, everyMs, lag }: Pace,
  send: (index: number, dueMs: number) => void,
): Promise<void> {
  const startMs = performance.now();
  const dueMs = (index: number) => startMs + index * everyMs;
  for (let index = 0; index < count; ) {
    const waitMs = dueMs(index) - performance.now();
    if (waitMs > 0) {
      await sleep(waitMs);
      continue;
    }
    lag.record(-waitMs);
    send(index, dueMs(index));
    index += 1;
  }
}
