import { type Logger, monotonicMs } from '@sluice/runtime';

/** npm and terminals deliver Ctrl-C twice: a second signal counts only after this time (D7). */
const SECOND_AFTER_MS = 250;

/**
 * Signals that stop the node. Without a listener each would end the process at once. Some images and supervisors send
 * SIGQUIT, LXC sends SIGPWR; SIGXCPU warns of a SIGKILL that follows.
 */
const STOPPING = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGPWR', 'SIGXCPU'] as const;

/** These would end it too, and SIGUSR1 would open Node's inspector, which runs any code that it is sent. */
const IGNORED = ['SIGUSR1', 'SIGUSR2', 'SIGALRM', 'SIGVTALRM', 'SIGIO', 'SIGSTKFLT'] as const;

export type StopSignals = {
  /** Resolves with the first signal to stop, or when an operator asks. */
  readonly first: Promise<void>;
  /** Aborts with the second. */
  readonly second: AbortSignal;
  /** An operator asks: stops the node like a first signal. The next signal, say of a supervisor, is not the second. */
  ask(): void;
};

/** Listens for the signals that stop a node, from this call on; the others are ignored with a line in the log. */
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
      // A terminal that closes sends SIGHUP, maybe more than once: nobody has asked for haste.
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
