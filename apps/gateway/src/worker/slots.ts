/**
 * One semaphore for all running turns, whether a job or a wake started them (worker.concurrency). Rings
 * wait in line for it, wakes do not: while somebody is in line no slot is free, so that a conversation
 * that is woken again and again lets the others in (T8).
 */
export type Slots = ReturnType<typeof makeSlots>;

export function makeSlots(size: number) {
  let taken = 0;
  /** Who waits, the first first; each entry is told whether it has a slot now. */
  const line = new Set<(got: boolean) => void>();
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
    /** Takes a slot as soon as it is this caller's turn; false: not within `ms`, or not any more. */
    take(ms: number): Promise<boolean> {
      if (this.tryTake()) return Promise.resolve(true);
      return new Promise((resolve) => {
        const leave = (got: boolean) => {
          clearTimeout(timer);
          line.delete(leave);
          resolve(got);
        };
        const timer = setTimeout(() => leave(false), ms);
        line.add(leave);
      });
    },
    /** Passes the slot to the first in line. */
    give(): void {
      const [first] = line;
      if (first) first(true);
      else taken--;
    },
    /** Sends everybody in line away. */
    dismiss(): void {
      for (const leave of [...line]) leave(false);
    },
  };
}
