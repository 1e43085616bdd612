import type { Keys, PermitScope } from '../keys/keys.js';
import type { Connection } from '../redis/connect.js';
import * as scripts from '../script/scripts.js';

export type Permits = ReturnType<typeof makePermits>;

/**
 * Permits to run a turn, a fixed number for each agent or principal in the whole cluster. A permit belongs to a
 * session on a node and expires like a lease: those of a killed node come back within the TTL.
 */
export function makePermits(
  connection: Connection,
  keys: Keys,
  { nodeId, ttlMs }: { nodeId: string; ttlMs: number },
) {
  /** It names the TTL: the permit counts no longer than that, whatever the clock of Redis does (L6). */
  const holder = (id: string) => `${nodeId} ${id} ${ttlMs}`;
  return {
    /** Takes one of `most`, or says how many sessions wait for one. */
    take: (scope: PermitScope, id: string, most: number): Promise<scripts.TakeReply> =>
      connection.run(scripts.permitTake, keys.permits(scope), {
        holder: holder(id),
        id,
        most,
        ttl: ttlMs,
      }),

    /** Extends the permits of these sessions. */
    keep: (scope: PermitScope, ids: readonly string[]) =>
      connection.run(scripts.permitKeep, keys.permits(scope), {
        holders: JSON.stringify(ids.map(holder)),
        ttl: ttlMs,
      }),

    /** Gives a permit back; returns the id of the session that has waited longest for one, or ''. */
    give: (scope: PermitScope, id: string): Promise<string> =>
      connection.run(scripts.permitGive, keys.permits(scope), { holder: holder(id) }),
  };
}
