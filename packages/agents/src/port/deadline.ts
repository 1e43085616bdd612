import { RetryableError } from './port.js';

/** One call to a model: aborted by the turn's signal or by its own time limit. */
export type Deadline = {
  readonly signal: AbortSignal;
  /** The error to throw when the call failed: the reason of the abort if there was one, else `error`. */
  explain(error: unknown): unknown;
  /** Ends timer and listener; call it in any case. */
  stop(): void;
};

/** Joins `signal` with a limit of `ms` (0: no limit). A call over the limit is retryable. */
export function startDeadline(signal: AbortSignal, ms: number): Deadline {
  const controller = new AbortController();
  const pass = () => controller.abort(signal.reason);
  const timer =
    ms > 0
      ? setTimeout(() => controller.abort(new RetryableError(`no reply within ${ms} ms`)), ms)
      : undefined;
  if (signal.aborted) pass();
  else signal.addEventListener('abort', pass, { once: true });
  return {
    signal: controller.signal,
    explain: (error) => (controller.signal.aborted ? controller.signal.reason : error),
    stop: () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', pass);
    },
  };
}
