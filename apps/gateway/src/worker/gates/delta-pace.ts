import { performance } from 'node:perf_hooks';
import { monotonicMs } from '@sluice/runtime';

/** The longest window, unless a longer one is configured (protocol.md). */
const WINDOW_MAX_MS = 250;
/** How often the buffers of all turns are looked at together: those that are due share one write to Redis. */
const TICK_MS = 10;
const LOOK_MS = 100;
/** Weight of the newest look against those before it: a rush of less than a second delays nothing. */
const NEWEST_SHARE = 1 / 10;

export type Load = {
  /** Part of the time, 0 to 1, in which the event loop was busy. */
  readonly busy: number;
  /** How long an append takes, in milliseconds. */
  readonly appendMs: number;
};

/**
 * How long deltas wait for more: `intervalMs`, and up to 250 ms as the event loop goes from half to nine
 * tenths busy, or an append from 20 to 220 ms.
 */
export function deltaWindowMs(intervalMs: number, { busy, appendMs }: Load): number {
  const overload = Math.min(1, Math.max(0, (busy - 0.5) / 0.4, (appendMs - 20) / 200));
  return intervalMs + overload * Math.max(0, WINDOW_MAX_MS - intervalMs);
}

/** Says when the delta buffers of a node flush. A `flush` that waits already keeps its time. */
export type DeltaPace = {
  /** Calls `flush` at the end of this round of the event loop. */
  soon(flush: () => void): void;
  /** Calls `flush` when the window is over. */
  later(flush: () => void): void;
  forget(flush: () => void): void;
  /** Reports how long an append took. */
  took(ms: number): void;
};

/** One timer for all buffers of a node. */
export function makeDeltaPace(intervalMs: number): DeltaPace {
  const dueMs = new Map<() => void, number>();
  let isTicking = false;
  let hasSoon = false;
  let appendMs = 0;
  /** Appends since the last look. */
  let appends = 0;
  let appendsMs = 0;
  let busy = 0;
  let windowMs = intervalMs;
  let looked = performance.eventLoopUtilization();
  let lookedMs = monotonicMs();

  function look(nowMs: number): void {
    if (nowMs - lookedMs < LOOK_MS) return;
    lookedMs = nowMs;
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, looked);
    busy += (utilization - busy) * NEWEST_SHARE;
    if (appends > 0) appendMs += (appendsMs / appends - appendMs) * NEWEST_SHARE;
    appends = 0;
    appendsMs = 0;
    looked = now;
    windowMs = deltaWindowMs(intervalMs, { busy, appendMs });
  }

  function flushDue(): void {
    const nowMs = monotonicMs();
    for (const [flush, due] of dueMs) {
      if (due > nowMs) continue;
      dueMs.delete(flush);
      flush();
    }
  }

  function startTicking(): void {
    if (isTicking) return;
    isTicking = true;
    setTimeout(() => {
      isTicking = false;
      look(monotonicMs());
      flushDue();
      if (dueMs.size > 0) startTicking();
    }, TICK_MS);
  }

  return {
    soon(flush) {
      dueMs.set(flush, 0);
      if (hasSoon) return;
      hasSoon = true;
      setImmediate(() => {
        hasSoon = false;
        flushDue();
      });
    },
    later(flush) {
      // At least 1 ms later, so that what a flush asks for is not due in the same round.
      if (!dueMs.has(flush)) dueMs.set(flush, monotonicMs() + Math.max(1, windowMs));
      startTicking();
    },
    forget: (flush) => void dueMs.delete(flush),
    took(ms) {
      appends += 1;
      appendsMs += Math.min(ms, 2 * WINDOW_MAX_MS);
    },
  };
}
