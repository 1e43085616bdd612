import { monotonicMs } from '@sluice/runtime';
import type { Keys } from '../keys/keys.js';
import type { Connection } from '../redis/connect.js';
import * as scripts from '../script/scripts.js';
import type { Lease } from './lease.js';

/** Most leases in one call: it takes Redis less than a millisecond. */
export const LEASES_MAX = 100;

export type ManyLeases = ReturnType<typeof makeManyLeases>;

/**
 * Calls for many leases of one partition, at most `LEASES_MAX`. The answers are in the order of the leases.
 * They work with a single Redlock instance only: with a quorum, Redlock itself must extend each lease.
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
    /** Extends them. Renewed ones hold until `deadlineMs` (monotonic), counted from before the call was sent (L4). */
    async renew(partition: number, leases: readonly Lease[]) {
      const deadlineMs = monotonicMs() + ttlMs;
      const given = { ...about(partition, leases), ttl: ttlMs };
      const replies = await connection.run(scripts.leasesRenew, keys.partition(partition), given);
      return { deadlineMs, replies };
    },

    /** Gives up those whose inbox is empty. */
    release(partition: number, leases: readonly Lease[]): Promise<scripts.LeaseReleased[]> {
      const given = about(partition, leases);
      return connection.run(scripts.leasesRelease, keys.partition(partition), given);
    },
  };
}
