/** So many logs are read at once. */
const AT_ONCE = 64;

/**
 * Reads of feeds that missed something wait their turn. When the subscriptions come back all feeds have: asked for
 * together, the answers would come later than calls are given up, and each try again would be as late.
 */
export class RepairLine {
  private readonly waiting: (() => void)[] = [];
  private running = 0;

  /** Behind those that wait already; one that fails makes room as one that is answered. */
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
