import { defaultRetry } from './config.js';
import type { RetryPolicy } from './port.js';

/** Milliseconds to wait after failed attempt `attempt` (from 1): at random, between half and all of the delay. */
export function retryDelayMs(
  policy: Partial<RetryPolicy> | undefined,
  attempt: number,
  random = Math.random(),
): number {
  const { initialMs, factor, maxMs } = { ...defaultRetry, ...policy };
  return Math.min(initialMs * factor ** (attempt - 1), maxMs) * (0.5 + random / 2);
}
