import { monotonicMs } from '@sluice/runtime';
import { StoreBusy } from './unavailable.js';

/** One reply is on its way while another one is read here: more at once would only wait in buffers. */
const AT_ONCE = 2;
/** Reads of one owner that wait. */
const WAITING_MAX = 256;
/** As long as one command may take: who waits longer asks again. */
const WAIT_MAX_MS = 2_000;
const BUSY_RETRY_MS = 1_000;

type Waiting = {
  readonly sinceMs: number;
  refusal(): Error | undefined;
  start(): Promise<void>;
  drop(error: Error): void;
};

/**
 * Large reads: few at a time, and one of each owner in turn, so that many reads of one principal delay
 * another's by one reply and not by all of them. What nobody waits for any more is never sent.
 */
export class BulkLane {
  readonly #lines = new Map<string, Waiting[]>();
  #running = 0;

  /**
   * Rejects with StoreBusy when too many of this owner wait, or for too long; and with the refusal that
   * there is when its turn comes.
   */
  run<T>(
    owner: string,
    call: () => Promise<T>,
    refusal: () => Error | undefined = () => undefined,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const line = this.#lines.get(owner) ?? [];
      if (line.length >= WAITING_MAX) return reject(new StoreBusy(BUSY_RETRY_MS));
      const start = () => call().then(resolve, reject);
      line.push({ sinceMs: monotonicMs(), refusal, start, drop: reject });
      this.#lines.set(owner, line);
      this.#goOn();
    });
  }

  #goOn(): void {
    while (this.#running < AT_ONCE) {
      const next = this.#take();
      if (!next) return;
      const isLate = monotonicMs() - next.sinceMs > WAIT_MAX_MS;
      const refused = next.refusal() ?? (isLate ? new StoreBusy(BUSY_RETRY_MS) : undefined);
      if (refused) {
        next.drop(refused);
      } else {
        this.#running++;
        void next.start().finally(() => {
          this.#running--;
          this.#goOn();
        });
      }
    }
  }

  /** The oldest read of the owner whose turn it is; the owner goes behind the others. */
  #take(): Waiting | undefined {
    for (const [owner, line] of this.#lines) {
      this.#lines.delete(owner);
      const next = line.shift();
      if (line.length > 0) this.#lines.set(owner, line);
      return next;
    }
    return undefined;
  }
}
