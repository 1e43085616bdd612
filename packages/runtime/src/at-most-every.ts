import { monotonicMs } from './time.js';

/**
 * For reports of frequent events, at most one in `ms`. Each call counts one event. It returns how many there
 * were since the last report, or 0 while it is too early for the next.
 */
export function atMostEvery(ms: number): () => number {
  let count = 0;
  let nextMs = 0;
  return () => {
    count += 1;
    if (monotonicMs() < nextMs) return 0;
    nextMs = monotonicMs() + ms;
    const counted = count;
    count = 0;
    return counted;
  };
}
