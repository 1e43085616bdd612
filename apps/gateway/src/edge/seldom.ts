import { monotonicMs } from '@sluice/runtime';

/**
 * Tells at most once in `everyMs` of what anybody can make happen as often as they like; `more` is how
 * many were left out since the last time.
 */
export function seldom<T>(everyMs: number, tell: (one: T, more: number) => void): (one: T) => void {
  let nextMs = 0;
  let more = 0;
  return (one) => {
    const now = monotonicMs();
    if (now < nextMs) {
      more += 1;
      return;
    }
    nextMs = now + everyMs;
    tell(one, more);
    more = 0;
  };
}
