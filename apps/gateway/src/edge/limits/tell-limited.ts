import { type Logger, monotonicMs } from '@sluice/runtime';
import type { RateKind } from '@sluice/store';

/** Every request beyond a limit meets it: one line for each limit of a principal in this time. */
const TELL_EVERY_MS = 60_000;
/** Most lines in that time, for all principals together. */
const TOLD_MAX = 1_000;

export type TellLimited = (limit: RateKind | 'frames', principal: string) => void;

/** Logs that a principal has met a limit; `more` in the line: how often since the last one. */
export function makeTellLimited(log: Logger, nowMs = monotonicMs): TellLimited {
  const lines = new Map<string, { readonly untilMs: number; more: number }>();

  /** Whether there may be another line. Drops entries that are over; the oldest come first. */
  function hasRoom(now: number): boolean {
    for (const [key, { untilMs }] of lines) {
      if (lines.size < TOLD_MAX) return true;
      if (untilMs > now) return false;
      lines.delete(key);
    }
    return true;
  }

  return (limit, principal) => {
    const key = `${limit} ${principal}`;
    const now = nowMs();
    const last = lines.get(key);
    if (last !== undefined && now < last.untilMs) {
      last.more += 1;
      return;
    }
    lines.delete(key);
    if (!hasRoom(now)) return;
    lines.set(key, { untilMs: now + TELL_EVERY_MS, more: 0 });
    log.warn({ principal, limit, more: last?.more ?? 0 }, 'a principal is held to a rate limit');
  };
}
