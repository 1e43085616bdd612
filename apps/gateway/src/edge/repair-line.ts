import { sleep } from '@sluice/runtime';
import { StoreUnavailable } from '@sluice/store';

/** So many logs are read at once. */
const AT_ONCE = 64;
const RETRY_MS = 250;

/** What reads its log to repair itself; rejects with StoreUnavailable when that must be tried again. */
export type Repairable = {
  repair(): Promise<void>;
  /** Its log cannot be read, and trying again would not help. */
  failed(error: unknown): void;
};

/**
 * Feeds wait their turn to read what they missed. When the subscriptions come back all of them must: asked
 * for together, the answers would come later than calls are given up, and each try again would be as late.
 */
export class RepairLine {
  private readonly waiting = new Set<Repairable>();
  private working = 0;

  add(feed: Repairable): void {
    this.waiting.add(feed);
    if (this.working < AT_ONCE) void this.work();
  }

  /** Never rejects: one feed that fails is no reason for the others to wait. */
  private async work(): Promise<void> {
    this.working++;
    for (const feed of this.waiting) {
      this.waiting.delete(feed);
      try {
        await feed.repair();
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) {
          feed.failed(error);
          continue;
        }
        this.waiting.add(feed); // behind the others
        await sleep(RETRY_MS);
      }
    }
    this.working--;
  }
}
