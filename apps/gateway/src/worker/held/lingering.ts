import { monotonicMs } from '@sluice/runtime';
import type { EndLinger, HeldSession } from './held-session.js';

export type WhyEnded = EndLinger | 'end' | 'lost';

export type Lingering = ReturnType<typeof makeLingering>;

type Waiting = { readonly untilMs: number; end(why: WhyEnded): void };

/**
 * The sessions of a node whose lease is kept although nothing waits, the one that is quiet for longest first:
 * one timer for all of them. Should there be more than `max`, that one's lease is given up.
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

  /** One that leaves before its time does not move the timer: it looks in vain then. */
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
    /** Resolves with what ends it: something waits, its time is over, it was given up or lost. */
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
