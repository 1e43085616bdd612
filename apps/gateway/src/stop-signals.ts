import { type Logger, monotonicMs } from '@sluice/runtime';

/** npm and terminals deliver Ctrl-C twice: a second signal counts only so much later (D7). */
const SECOND_AFTER_MS = 250;

export type StopSignals = {
  /** Resolves with the first SIGTERM or SIGINT, or when an operator has asked. */
  readonly first: Promise<void>;
  /** Aborts with the second. */
  readonly second: AbortSignal;
  /** As a first signal; but the signal of a supervisor that follows is not the second. */
  ask(): void;
};

export function onStopSignals(log: Logger): StopSignals {
  const second = new AbortController();
  let firstMs: number | undefined;
  let ask = () => {};
  const first = new Promise<void>((resolve) => {
    ask = () => {
      log.info('an operator asks this node to drain');
      resolve();
    };
    const onSignal = (signal: NodeJS.Signals) => {
      if (firstMs === undefined) {
        firstMs = monotonicMs();
        log.info({ signal }, 'stop requested');
        resolve();
      } else if (monotonicMs() - firstMs >= SECOND_AFTER_MS) {
        log.warn({ signal }, 'stop requested again: cutting what still runs');
        second.abort();
      }
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
  return { first, second: second.signal, ask };
}
