import type { Logger } from './log.js';
import { monotonicMs } from './time.js';

/**
 * A node's life; only forwards:
 *
 *     starting -> ready -> draining -> drained -> stopped
 */
export type Phase = 'starting' | 'ready' | 'draining' | 'drained' | 'stopped';

const next: Record<Phase, Phase | undefined> = {
  starting: 'ready',
  ready: 'draining',
  draining: 'drained',
  drained: 'stopped',
  stopped: undefined,
};

export type Lifecycle = {
  readonly phase: Phase;
  /** Enters the next phase; any other phase is ignored. */
  enter(phase: Phase): void;
};

export function makeLifecycle(log: Logger): Lifecycle {
  let phase: Phase = 'starting';
  let since = monotonicMs();
  return {
    get phase() {
      return phase;
    },
    enter(to) {
      if (next[phase] !== to) return;
      const now = monotonicMs();
      log.debug({ from: phase, to, ms: Math.round(now - since) }, 'phase changed');
      phase = to;
      since = now;
    },
  };
}

export type Step = {
  readonly name: string;
  /** Longest time for the step; then it is logged as failed and no longer waited for. */
  readonly limitMs: number;
  run(): Promise<unknown>;
};

/** Runs steps one after the other, each within its limit; returns the names of those that failed. */
export async function runSteps(steps: readonly Step[], log: Logger): Promise<string[]> {
  const failed: string[] = [];
  for (const { name, limitMs, run } of steps) {
    const started = monotonicMs();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not done within ${limitMs} ms`)), limitMs);
    });
    try {
      await Promise.race([run(), late]);
      log.debug({ step: name, ms: Math.round(monotonicMs() - started) }, 'step done');
    } catch (err) {
      failed.push(name);
      log.warn({ err, step: name }, 'step failed');
    } finally {
      clearTimeout(timer);
    }
  }
  return failed;
}
