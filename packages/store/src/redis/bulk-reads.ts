import type { Connection } from './connect.js';
import { Lane } from './lane.js';
import { CallerGone, type StoreUnavailable } from './unavailable.js';

/** One reply is on its way while another one is read here: more at once would only wait in buffers. */
const AT_ONCE = 2;
/** Reads of one principal that wait. */
const WAITING_MAX = 256;
/** As long as one command may take: who waits longer asks again. */
const WAIT_MAX_MS = 2_000;

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
  const lane = new Lane({ atOnce: AT_ONCE, waitingMax: WAITING_MAX, waitMaxMs: WAIT_MAX_MS });
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
