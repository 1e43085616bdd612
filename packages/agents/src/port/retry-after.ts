/** Longest `Retry-After` that is followed: the later messages of the session wait as long. */
const RETRY_AFTER_MAX_MS = 5 * 60_000;

/** Statuses of failures that are expected to pass; `also` adds those of one kind of endpoint. */
export function isPassing(status: number, also: readonly number[] = []): boolean {
  return status >= 500 || [408, 425, 429, ...also].includes(status);
}

/** `Retry-After` in seconds or as a date (RFC 9110, 10.2.3) -> milliseconds from `now`, at most 5 min. */
export function retryAfterMs(header: string | null | undefined, now = Date.now()): number {
  if (!header) return 0;
  const ms = /^\d+(\.\d+)?$/.test(header.trim())
    ? Number(header) * 1_000
    : Date.parse(header) - now;
  return Number.isFinite(ms) ? Math.min(Math.max(0, ms), RETRY_AFTER_MAX_MS) : 0;
}
