import { defaultRetry } from './config.js';
import type { RetryPolicy } from './port.js';

/** Milliseconds to wait after failed attempt `attempt` (from 1). */
export function retryDelayMs(policy: Partial<RetryPolicy> | undefined, attempt: number): number {
  const { initialMs, factor, maxMs } = { ...defaultRetry, ...policy };
  return Math.min(initialMs * factor ** (attempt - 1), maxMs);
}
