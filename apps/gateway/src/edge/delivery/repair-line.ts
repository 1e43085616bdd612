/** Logs that are read at once. */
const AT_ONCE = 64;

/**
 * Where feeds that missed something wait for their read. When the subscriptions come back, all feeds need one. Asked
 * for together, the answers would come after the limit of a call, and those of each new try too.
 */
export class RepairLine {
  private readonly waiting: (() => void)[] = [];
  private running = 0;

  /** Reads after those that wait already. A read that fails makes room like one that is answered. */
  async run<T>(read: () => Promise<T>): Promise<T> {
    if (this.running < AT_ONCE) this.running++;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await read();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.running--;
    }
  }
}
