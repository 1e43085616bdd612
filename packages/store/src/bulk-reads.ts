import { BulkLane } from './bulk-lane.js';
import type { Connection } from './connect.js';
import { CallerGone, type StoreUnavailable } from './unavailable.js';

/** On whose behalf something is read, and whether that is still wanted when its turn has come. */
export type Reading = {
  /** Principal who asks; default: the one whose session it is. */
  readonly by?: string | undefined;
  isGone?(): boolean;
  refusal?(): StoreUnavailable | undefined;
};

export type BulkReads = ReturnType<typeof makeBulkReads>;

/**
 * Reads whose replies may have megabytes, on a connection of their own: renewals, commits and messages
 * never stand behind them. Throws StoreUnavailable.
 */
export function makeBulkReads(connection: Connection) {
  const lane = new BulkLane();
  return {
    run: <T>(
      owner: string,
      read: (connection: Connection) => Promise<T>,
      { isGone, refusal }: Reading = {},
    ): Promise<T> =>
      lane.run(
        owner,
        () => read(connection),
        () => (isGone?.() ? new CallerGone() : refusal?.()),
      ),
  };
}
