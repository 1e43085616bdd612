import { type Logger, monotonicMs } from '@sluice/runtime';
import type { RateKind } from '@sluice/store';

/** A limit is met by every request beyond it. */
const TELL_EVERY_MS = 60_000;
/** Lines in that time, for whatever principals there are. */
const TOLD_MAX = 1_000;

export type TellLimited = (limit: RateKind | 'frames', principal: string) => void;

/** Tells in the log that a principal is held to a limit: one line for each limit of it in a minute. */
export function makeTellLimited(log: Logger, nowMs = monotonicMs): TellLimited {
  const told = new Map<string, { readonly untilMs: number; more: number }>();

  /** Those told longest ago stand first. */
  function hasRoom(now: number): boolean {
    for (const [key, { untilMs }] of told) {
      if (told.size < TOLD_MAX) return true;
      if (untilMs > now) return false;
      told.delete(key);
    }
    return true;
  }

  return (limit, principal) => {
    const key = `${limit} ${principal}`;
    const now = nowMs();
    const last = told.get(key);
    if (last !== undefined && now < last.untilMs) {
      last.more += 1;
      return;
    }
    told.delete(key);
    if (!hasRoom(now)) return;
    told.set(key, { untilMs: now + TELL_EVERY_MS, more: 0 });
    log.warn({ principal, limit, more: last?.more ?? 0 }, 'a principal is held to a rate limit');
  };
}
