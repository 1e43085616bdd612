import { makeId, monotonicMs } from '@sluice/runtime';
import type { Damage } from '../keys/damage.js';
import type { Keys } from '../keys/keys.js';
import type { Connection } from '../redis/connect.js';
import * as scripts from '../script/scripts.js';

export type Sweep = ReturnType<typeof makeSweep>;

export type SweepOptions = {
  readonly intervalMs: number;
  readonly leaseTtlMs: number;
  readonly damage: Damage;
};

/** Longest time until the sweep looks at a session again (60 s in pending-sweep.lua), and some more. */
const LATEST_MS = 65_000;
/** The clock of Redis was set back if it has lost more than this. */
const BACK_MS = 500;

/** Looks at one partition: returns rings that are due, and SESSION_END records that were not copied (T7). */
export function makeSweep(connection: Connection, keys: Keys, options: SweepOptions) {
  const latestMs = Math.max(LATEST_MS, options.leaseTtlMs);
  /** Partitions in which everything is due, since it was written under a later clock. */
  const setBack = new Set<number>();
  /** The clock of Redis minus the monotonic clock of this process. */
  let aheadMs: number | undefined;

  function compareClocks(nowMs: number): void {
    const wasMs = aheadMs;
    aheadMs = nowMs - monotonicMs();
    if (wasMs === undefined || aheadMs >= wasMs - BACK_MS) return;
    for (let partition = 0; partition < keys.partitions; partition++) setBack.add(partition);
  }

  return async (partition: number): Promise<scripts.SweepReply> => {
    const { sessionPrefix, ownedPrefix, ...named } = keys.partition(partition);
    const isAll = setBack.delete(partition);
    const looked = connection.run(scripts.pendingSweep, named, {
      session_prefix: sessionPrefix,
      owned_prefix: ownedPrefix,
      interval: options.intervalMs,
      call: makeId('sweep'), // made before the first try: a repeat gets the same rings
      horizon: isAll ? 0 : latestMs,
    });
    const reply = await looked.catch((error: unknown) => {
      if (isAll) setBack.add(partition);
      throw error;
    });
    for (const { where, why } of reply.setAside) {
      options.damage(`partition ${partition}: ${where}`, { partition, why });
    }
    if (reply.nowMs > 0) compareClocks(reply.nowMs);
    return setBack.has(partition) ? { ...reply, nextDueMs: 0 } : reply;
  };
}
