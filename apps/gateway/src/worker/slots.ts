/** So long a ring or a wake waits in line; then another node may have its session. */
export const LINE_MS = 250;

/**
 * One semaphore for all running turns, whether a job or a wake started them (worker.concurrency). Both wait in one
 * line for it: while somebody is in line no slot is free, so that a conversation that is woken again and again lets
 * the others in (T8).
 */
export type Slots = ReturnType<typeof makeSlots>;

type Waiter = {
  /** When it began to wait, by the clock of the node where it did. */
  readonly sinceMs: number;
  /** It waits still. */
  isThere: boolean;
  /** Ends its wait, with a slot or without. */
  leave(got: boolean): void;
};

export function makeSlots(size: number) {
  let taken = 0;
  /** Who waits, longest first. Those that have left are passed over, and struck off together. */
  let line: Waiter[] = [];
  let left = 0;
  function struckOff(): void {
    left += 1;
    if (left * 2 <= line.length) return;
    line = line.filter((it) => it.isThere);
    left = 0;
  }
  return {
    get free() {
      return size - taken;
    },
    get taken() {
      return taken;
    },
    tryTake(): boolean {
      if (taken >= size) return false;
      taken++;
      return true;
    },
    /**
     * Takes a slot as soon as it is this caller's turn; false: not within `ms`, or not any more. One that has
     * waited elsewhere since before keeps its place: it goes before those that came later.
     */
    take(ms: number, sinceMs = Date.now()): Promise<boolean> {
      if (this.tryTake()) return Promise.resolve(true);
      return new Promise((resolve) => {
        const leave = (got: boolean) => {
          clearTimeout(timer);
          waiter.isThere = false;
          struckOff();
          resolve(got);
        };
        const timer = setTimeout(() => leave(false), ms);
        const waiter: Waiter = { sinceMs, isThere: true, leave };
        const before = line.findLastIndex((it) => it.sinceMs <= sinceMs); // most come last
        line.splice(before + 1, 0, waiter);
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
      for (const { isThere, leave } of [...line]) if (isThere) leave(false);
    },
  };
}
