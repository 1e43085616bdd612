import { monotonicMs } from '@sluice/runtime';
import type { Keys } from '../keys/keys.js';
import type { Connection } from '../redis/connect.js';
import * as scripts from '../script/scripts.js';
import type { Lease } from './lease.js';

/** So many in one call: Redis does nothing else for less than a millisecond. */
export const LEASES_MAX = 100;

export type ManyLeases = ReturnType<typeof makeManyLeases>;

/**
 * Calls for many leases of one partition, at most `LEASES_MAX`. The answers stand in the order of the leases.
 * With a quorum of Redlocks there would be no such renewal: each lease is extended by Redlock itself then.
 * Throws StoreUnavailable.
 */
export function makeManyLeases(
  connection: Connection,
  keys: Keys,
  { ttlMs }: { readonly ttlMs: number },
) {
  const about = (partition: number, leases: readonly Lease[]) => ({
    session_prefix: keys.partition(partition).sessionPrefix,
    leases: JSON.stringify(leases.map(({ id, token, fence }) => [id, token, String(fence)])),
  });
  return {
    /** Moves their ends. Those that were renewed hold until `deadlineMs`, from before the call was sent (L4). */
    async renew(partition: number, leases: readonly Lease[]) {
      const deadlineMs = monotonicMs() + ttlMs;
      const given = { ...about(partition, leases), ttl: ttlMs };
      const replies = await connection.run(scripts.leasesRenew, keys.partition(partition), given);
      return { deadlineMs, replies };
    },

    /** Gives those up under which nothing waits. */
    release(partition: number, leases: readonly Lease[]): Promise<scripts.LeaseReleased[]> {
      const given = about(partition, leases);
      return connection.run(scripts.leasesRelease, keys.partition(partition), given);
    },
  };
}
