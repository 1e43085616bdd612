import { monotonicMs } from '@sluice/runtime';

/** How often each in line is asked whether it may stay. One that may not gives its session to others. */
const LINE_MS = 250;

/**
 * One semaphore for all running turns, whether a job or a wake started them (worker.concurrency). Both wait in one
 * line for it: while somebody is in line no slot is free, so that a conversation that is woken again and again lets
 * the others in (T8).
 */
export type Slots = ReturnType<typeof makeSlots>;

export type InLine = {
  /** When it began to wait, by the clock of the node where it did. One that has waited longer goes first. */
  readonly sinceMs?: number | undefined;
  /** Asked every `lineMs`: whether it waits on. */
  mayStay?(): boolean;
};

type Waiter = {
  readonly sinceMs: number;
  readonly mayStay: () => boolean;
  /** When it is asked next whether it may stay. */
  askMs: number;
  /** It waits still. */
  isThere: boolean;
  /** Ends its wait, with a slot or without. */
  leave(got: boolean): void;
};

export function makeSlots(size: number, lineMs = LINE_MS) {
  let taken = 0;
  /** Who waits, longest first. Those that have left are passed over, and struck off together. */
  let line: Waiter[] = [];
  let left = 0;
  /** The same, those first that are asked first: one timer for all. */
  const asked = new Set<Waiter>();
  let timer: NodeJS.Timeout | undefined;

  function struckOff(): void {
    left += 1;
    if (left * 2 <= line.length) return;
    line = line.filter((it) => it.isThere);
    left = 0;
  }

  /** The timer may have been set for one that has left: it looks in vain then. */
  function watch(): void {
    const [first] = asked;
    if (!first) {
      clearTimeout(timer);
      timer = undefined;
    } else timer ??= setTimeout(look, Math.max(1, first.askMs - monotonicMs()));
  }

  function look(): void {
    timer = undefined;
    const nowMs = monotonicMs();
    for (const waiter of asked) {
      if (waiter.askMs > nowMs) break;
      if (waiter.mayStay()) askLater(waiter, nowMs);
      else waiter.leave(false);
    }
    watch();
  }

  function askLater(waiter: Waiter, nowMs: number): void {
    asked.delete(waiter);
    waiter.askMs = nowMs + lineMs;
    asked.add(waiter);
  }

  return {
    get free() {
      return size - taken;
    },
    get taken() {
      return taken;
    },
    /** How many are in line. */
    get waiting() {
      return asked.size;
    },
    tryTake(): boolean {
      if (taken >= size) return false;
      taken++;
      return true;
    },
    /** Takes a slot as soon as it is this caller's turn; false: it may not wait any longer. */
    take({ sinceMs = Date.now(), mayStay = () => false }: InLine = {}): Promise<boolean> {
      if (this.tryTake()) return Promise.resolve(true);
      return new Promise((resolve) => {
        const leave = (got: boolean) => {
          waiter.isThere = false;
          asked.delete(waiter);
          struckOff();
          watch();
          resolve(got);
        };
        const waiter: Waiter = { sinceMs, mayStay, askMs: 0, isThere: true, leave };
        const before = line.findLastIndex((it) => it.sinceMs <= sinceMs); // most come last
        line.splice(before + 1, 0, waiter);
        askLater(waiter, monotonicMs());
        watch();
      });
    },
    /** Passes the slot to the first in line. */
    give(): void {
      const first = line.find((it) => it.isThere);
      if (first) first.leave(true);
      else taken--;
    },
    /** Sends everybody in line away. */
    dismiss(): void {
      for (const waiter of [...asked]) waiter.leave(false);
    },
  };
}
