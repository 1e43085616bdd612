import { RetryableError } from './port.js';

/** One call to a model: aborted by the turn's signal or by its own time limit. */
export type Deadline = {
  readonly signal: AbortSignal;
  /** What the failure of the call means: the reason of the abort if there was one, else `error`. */
  explain(error: unknown): unknown;
  /** Ends timer and listener; call it in any case. */
  stop(): void;
};

/** Joins `signal` with a limit of `ms` (0: none). A call that took too long is worth a retry. */
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
