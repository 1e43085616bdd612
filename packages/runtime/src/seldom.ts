import { monotonicMs } from './time.js';

/**
 * For what may happen very often and is told at most once in `ms`: each call counts one; the answer is how many
 * there were since the last telling, 0 while it is too early for the next.
 */
export function seldom(ms: number): () => number {
  let count = 0;
  let nextMs = 0;
  return () => {
    count += 1;
    if (monotonicMs() < nextMs) return 0;
    nextMs = monotonicMs() + ms;
    const told = count;
    count = 0;
    return told;
  };
}
