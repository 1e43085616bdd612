import { setImmediate as nextRound } from 'node:timers/promises';
import { monotonicMs } from '@sluice/runtime';

/** Agents that stream without ever waiting let everybody else of this node in so often. */
const SLICE_MS = 5;

/** Since when turns have been running in this round of the event loop; undefined: none has yet. */
let sinceMs: number | undefined;

/**
 * What to wait for before the next step of a turn, when the turns of this process have had their time in this
 * round of the event loop. One that waits for its model begins a round of its own, and waits for nothing here.
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
