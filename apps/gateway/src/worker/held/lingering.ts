import { monotonicMs } from '@sluice/runtime';
import type { EndLinger, HeldSession } from './held-session.js';

/** See EndLinger; `end`: its time is over, or there are too many; `lost`: the lease is lost. */
export type WhyEnded = EndLinger | 'end' | 'lost';

export type Lingering = ReturnType<typeof makeLingering>;

type Waiting = { readonly untilMs: number; end(why: WhyEnded): void };

/**
 * The sessions whose lease a node keeps although nothing waits, the longest quiet one first. One timer for all of them.
 * With more than `max`, the lease of the first one is given up.
 */
export function makeLingering({ lingerMs, max }: { lingerMs: number; max: number }) {
  const all = new Map<HeldSession, Waiting>();
  let timer: NodeJS.Timeout | undefined;

  function oldest(): Waiting | undefined {
    return all.values().next().value;
  }

  function look(): void {
    timer = undefined;
    const nowMs = monotonicMs();
    for (const { untilMs, end } of all.values()) {
      if (untilMs > nowMs) break;
      end('end');
    }
    watch();
  }

  /** A session that leaves before its time does not move the timer, which may then fire in vain. */
  function watch(): void {
    const first = oldest();
    if (!first) {
      clearTimeout(timer);
      timer = undefined;
    } else timer ??= setTimeout(look, Math.max(1, first.untilMs - monotonicMs()));
  }

  return {
    get size() {
      return all.size;
    },
    /** Resolves when the linger ends, with why. */
    wait: (held: HeldSession): Promise<WhyEnded> =>
      new Promise((resolve) => {
        const { lost } = held.keeper;
        const onLost = () => end('lost');
        const end = (why: WhyEnded) => {
          lost.removeEventListener('abort', onLost);
          held.endLinger = undefined;
          all.delete(held);
          watch();
          resolve(why);
        };
        lost.addEventListener('abort', onLost, { once: true });
        held.endLinger = end;
        all.set(held, { untilMs: monotonicMs() + lingerMs, end });
        watch();
        if (all.size > max) oldest()?.end('end');
      }),
  };
}
