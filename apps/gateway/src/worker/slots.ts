/** One semaphore for all running turns, whether a job or a wake started them (worker.concurrency). */
export type Slots = ReturnType<typeof makeSlots>;

export function makeSlots(size: number, onChange: (free: number) => void) {
  let taken = 0;
  return {
    get free() {
      return size - taken;
    },
    tryTake(): boolean {
      if (taken >= size) return false;
      taken++;
      onChange(size - taken);
      return true;
    },
    give(): void {
      taken--;
      onChange(size - taken);
    },
  };
}
