import { setImmediate as nextRound } from 'node:timers/promises';
import { monotonicMs } from '@sluice/runtime';

/** Turns that stream without ever waiting let other work of this node in after this time. */
const SLICE_MS = 5;

/** When the first turn of this round of the event loop began to run; undefined: none has yet. */
let sinceMs: number | undefined;

/**
 * What to wait for before the next step of a turn; undefined: nothing. Turns wait here when they have had their time in
 * this round of the event loop. A turn that waits for its model comes back in a later round, and need not wait here.
 */
export function sliceOver(): Promise<unknown> | undefined {
  const nowMs = monotonicMs();
  if (sinceMs !== undefined) return nowMs - sinceMs > SLICE_MS ? nextRound() : undefined;
  sinceMs = nowMs;
  setImmediate(() => {
    sinceMs = undefined;
  });
  return undefined;
}
