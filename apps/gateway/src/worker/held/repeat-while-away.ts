import { monotonicMs, sleep } from '@sluice/runtime';
import { StoreUnavailable } from '@sluice/store';

const RETRY_MS = 100;

/** How long a call is repeated: until the signal aborts, or until a time of the monotonic clock. */
export type Patience = AbortSignal | { readonly untilMs: number };

/** Repeats a call while Redis is away; undefined: its patience ended first. Other errors are thrown. */
export async function repeatWhileAway<T>(
  call: () => Promise<T>,
  patience: Patience,
): Promise<T | undefined> {
  const signal = 'aborted' in patience ? patience : undefined;
  const isOver = () =>
    'aborted' in patience ? patience.aborted : monotonicMs() > patience.untilMs;
  while (!isOver()) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      await sleep(RETRY_MS, signal);
    }
  }
  return undefined;
}
