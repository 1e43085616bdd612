import { sleep } from '@sluice/runtime';

/**
 * Calls `check` until it neither throws nor returns false, at most for `ms`; returns its value. After
 * that the last error is thrown, so that a failed expectation reads as usual.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  ms = 5_000,
  every = 20,
): Promise<T> {
  const deadline = performance.now() + ms;
  for (;;) {
    let failure: unknown;
    try {
      const value = await check();
      if (value !== false) return value;
      failure = new Error(`still false after ${ms} ms`);
    } catch (error) {
      failure = error;
    }
    if (performance.now() + every > deadline) throw failure;
    await sleep(every);
  }
}
