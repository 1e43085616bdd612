import type { Connection } from '../redis/connect.js';
import { CallerGone, type StoreUnavailable } from '../redis/unavailable.js';
import { Lane } from './lane.js';

/** One reply is on its way while another one is read here: more at once would only wait in buffers. */
const AT_ONCE = 2;
/** Most reads of one principal that may wait. */
const WAITING_MAX = 256;
/** A read that has waited longer is refused with StoreBusy. As long as one command may take. */
const WAIT_MAX_MS = 2_000;

/** For whom something is read, and whether it is still wanted when its turn comes. */
export type Reading = {
  /** Principal who asks; default: the one whose session it is. */
  readonly by?: string | undefined;
  /** True: the caller has gone; the read fails with CallerGone. */
  isGone?(): boolean;
  /** The error with which the read fails; undefined: it may be sent. */
  refusal?(): StoreUnavailable | undefined;
};

export type BulkReads = ReturnType<typeof makeBulkReads>;

/**
 * Reads whose replies may have megabytes, on a connection of their own: renewals, commits and messages
 * never wait for them. Throws StoreUnavailable (StoreBusy, CallerGone).
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
