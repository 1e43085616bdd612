import { monotonicMs } from '@sluice/runtime';
import type { Keys } from '../keys/keys.js';
import type { Extended, Locks } from '../locks/locks.js';
import type { Connection } from '../redis/connect.js';
import * as scripts from '../script/scripts.js';
import type { Lease } from './lease.js';

/** Most leases in one call: it takes Redis less than a millisecond. */
export const LEASES_MAX = 100;

export type ManyLeases = ReturnType<typeof makeManyLeases>;

/** `unreached`: too few members of the quorum answered for its Redlock; it may be asked again. */
export type ManyRenewed = scripts.LeaseRenewed | { readonly kind: 'unreached' };

/**
 * Calls for many leases of one partition, at most `LEASES_MAX`. The answers are in the order of the leases.
 * Where the Redlock is in the data Redis, the scripts move it in the same step. A quorum extends it before the lease,
 * one call to each member, and gives it back after it. Throws StoreUnavailable.
 */
export function makeManyLeases(
  connection: Connection,
  keys: Keys,
  { ttlMs, locks }: { readonly ttlMs: number; readonly locks: Locks },
) {
  const about = (partition: number, leases: readonly Lease[], extended?: readonly Extended[]) => ({
    session_prefix: keys.partition(partition).sessionPrefix,
    leases: JSON.stringify(
      leases.map(({ id, token, fence }, at) => [
        ...[id, token, String(fence)],
        ...(extended ? [extended[at] === 'extended' ? '1' : '0'] : []),
      ]),
    ),
  });
  return {
    /** Extends them. Renewed ones hold until `deadlineMs` (monotonic), counted from before the call was sent (L4). */
    async renew(
      partition: number,
      leases: readonly Lease[],
    ): Promise<{ deadlineMs: number; replies: readonly ManyRenewed[] }> {
      const extended = locks.where === 'quorum' ? await locks.extendAll(leases) : undefined;
      const deadlineMs = extended?.deadlineMs ?? monotonicMs() + ttlMs;
      const given = { ...about(partition, leases, extended?.answers), ttl: ttlMs };
      const replies = await connection.run(scripts.leasesRenew, keys.partition(partition), given);
      const isUnreached = (at: number) => extended?.answers[at] === 'unreached';
      return {
        deadlineMs,
        replies: replies.map((reply, at) =>
          reply.kind === 'unlocked' && isUnreached(at) ? { kind: 'unreached' } : reply,
        ),
      };
    },

    /** Gives up those whose inbox is empty. */
    async release(partition: number, leases: readonly Lease[]): Promise<scripts.LeaseReleased[]> {
      const given = about(partition, leases);
      const replies = await connection.run(scripts.leasesRelease, keys.partition(partition), given);
      if (locks.where === 'quorum') {
        await locks.releaseAll(leases.filter((_, at) => replies[at]?.kind === 'released'));
      }
      return replies;
    },
  };
}
