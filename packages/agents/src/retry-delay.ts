import type { RetryPolicy } from './port.js';

const defaults: RetryPolicy = { initialMs: 200, factor: 2, maxMs: 10_000 };

/** Milliseconds to wait after failed attempt `attempt` (from 1). */
export function retryDelayMs(policy: Partial<RetryPolicy> | undefined, attempt: number): number {
  const { initialMs, factor, maxMs } = { ...defaults, ...policy };
  return Math.min(initialMs * factor ** (attempt - 1), maxMs);
}
