import { monotonicMs } from '@sluice/runtime';

/** How often each waiter in line is asked whether it may stay. One that may not gives its session to others. */
const LINE_MS = 250;

/**
 * The slots for all running turns of a node (worker.concurrency), started by a ring or by a wake. Both wait in one
 * line. While somebody is in line no slot is free, so a session that is woken again and again lets others in (T8).
 */
export type Slots = ReturnType<typeof makeSlots>;

/** How a caller waits in line. The default waits once for `lineMs`. */
export type InLine = {
  /** When the session began to wait, by the clock of the node where it did. The longest wait goes first. */
  readonly sinceMs?: number | undefined;
  /** Asked every `lineMs`: whether it may go on waiting. */
  mayStay?(): boolean;
};

type Waiter = {
  readonly sinceMs: number;
  readonly mayStay: () => boolean;
  /** When `mayStay` is asked next. */
  askMs: number;
  /** Whether it still waits. */
  isThere: boolean;
  /** Ends its wait, with a slot or without. */
  leave(got: boolean): void;
};

/** `size`: turns that may run at once. */
export function makeSlots(size: number, lineMs = LINE_MS) {
  let taken = 0;
  /** The waiters, longest wait first. Those that have left are passed over, and removed together. */
  let line: Waiter[] = [];
  /** How many in `line` have left. */
  let gaps = 0;
  /** Those that still wait, in the order in which they are asked: one timer for all. */
  const asked = new Set<Waiter>();
  let timer: NodeJS.Timeout | undefined;

  function struckOff(): void {
    gaps += 1;
    if (gaps * 2 <= line.length) return;
    line = line.filter((it) => it.isThere);
    gaps = 0;
  }

  /** A waiter that leaves does not move the timer, which may then fire in vain. */
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
        const before = line.findLastIndex((it) => it.sinceMs <= sinceMs); // from the end: most come last
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
    /** Ends every wait in line without a slot. */
    dismiss(): void {
      for (const waiter of [...asked]) waiter.leave(false);
    },
  };
}
