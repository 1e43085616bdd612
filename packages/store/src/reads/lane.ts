import { monotonicMs } from '@sluice/runtime';
import { StoreBusy } from '../redis/unavailable.js';

const BUSY_RETRY_MS = 1_000;

type Waiting = {
  readonly sinceMs: number;
  refusal(): Error | undefined;
  start(): Promise<void>;
  drop(error: Error): void;
};

export type LaneOptions = {
  /** Most calls under way. */
  readonly atOnce: number;
  /** Most calls of one owner that wait; left out: no limit. */
  readonly waitingMax?: number;
  /** A call that has waited longer is refused; left out: no limit. */
  readonly waitMaxMs?: number;
};

/**
 * Calls to Redis: few at a time, and one of each owner in turn, so that many calls of one principal delay
 * another's by one reply and not by all of them. A call whose `refusal` has an error is never sent.
 */
export class Lane {
  readonly #lines = new Map<string, Waiting[]>();
  #running = 0;

  constructor(private readonly options: LaneOptions) {}

  /**
   * Rejects with StoreBusy when too many calls of this owner wait, or this one has waited for too long; and with
   * the error that `refusal` returns when its turn comes.
   */
  run<T>(
    owner: string,
    call: () => Promise<T>,
    refusal: () => Error | undefined = () => undefined,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const line = this.#lines.get(owner) ?? [];
      if (line.length >= (this.options.waitingMax ?? Number.POSITIVE_INFINITY))
        return reject(new StoreBusy(BUSY_RETRY_MS));
      const start = () => call().then(resolve, reject);
      line.push({ sinceMs: monotonicMs(), refusal, start, drop: reject });
      this.#lines.set(owner, line);
      this.#goOn();
    });
  }

  #goOn(): void {
    const { atOnce, waitMaxMs = Number.POSITIVE_INFINITY } = this.options;
    while (this.#running < atOnce) {
      const next = this.#take();
      if (!next) return;
      const isLate = monotonicMs() - next.sinceMs > waitMaxMs;
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

  /** Takes the oldest call of the owner whose turn it is; the owner goes to the end of the line. */
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
