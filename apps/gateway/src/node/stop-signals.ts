import { type Logger, monotonicMs } from '@sluice/runtime';

/** npm and terminals deliver Ctrl-C twice: a second signal counts only so much later (D7). */
const SECOND_AFTER_MS = 250;

/**
 * Each of these would end the process at once if nobody listened. SIGQUIT is how some images and supervisors
 * ask for a stop, SIGPWR how LXC does; SIGXCPU warns of a SIGKILL that follows.
 */
const STOPPING = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGPWR', 'SIGXCPU'] as const;

/** So would these, and SIGUSR1 would open Node's inspector, which runs whatever code it is sent. */
const IGNORED = ['SIGUSR1', 'SIGUSR2', 'SIGALRM', 'SIGVTALRM', 'SIGIO', 'SIGSTKFLT'] as const;

export type StopSignals = {
  /** Resolves with the first signal to stop, or when an operator has asked. */
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
        return;
      }
      // A terminal that closes says nothing about patience, and may say it more than once.
      if (signal === 'SIGHUP' || monotonicMs() - firstMs < SECOND_AFTER_MS) return;
      log.warn({ signal }, 'stop requested again: cutting what still runs');
      second.abort();
    };
    for (const signal of STOPPING) process.on(signal, onSignal);
  });
  const onIgnored = (signal: NodeJS.Signals) => log.warn({ signal }, 'signal ignored');
  for (const signal of IGNORED) process.on(signal, onIgnored);
  return { first, second: second.signal, ask };
}
