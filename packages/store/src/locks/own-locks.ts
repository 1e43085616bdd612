import { betweenFailpoints, monotonicMs } from '@sluice/runtime';
import type { Redis } from 'ioredis';
import { Lock, Redlock } from 'redlock';
import type { Keys } from '../keys/keys.js';
import type { Connection } from '../redis/connect.js';
import { StoreUnavailable } from '../redis/unavailable.js';
import type { PlainCall } from '../script/failpoints.js';
import type { Claim, OwnLocks } from './locks.js';

/** Redlock with one instance, the server that has the session: the scripts there look at its keys too. */
export function makeOwnLocks(
  connection: Connection,
  keys: Keys,
  { ttlMs }: { readonly ttlMs: number },
): OwnLocks {
  const redlocks = new WeakMap<Redis, Redlock>();
  /** The Redlock of the server that has this key. Throws when there is none now. */
  function redlockOf(resource: string): Redlock {
    const client = connection.clientOf(resource);
    if (!client) throw new StoreUnavailable('Redis is not reachable');
    const known = redlocks.get(client);
    if (known) return known;
    const redlock = new Redlock([client], { retryCount: 0, db: connection.db });
    redlock.on('error', () => {}); // every failure also reaches the caller
    redlocks.set(client, redlock);
    return redlock;
  }
  const between = <T>(call: PlainCall, run: () => Promise<T>) => betweenFailpoints(call, run);
  const lockFor = (id: string, claim: Claim) => {
    const resource = keys.session(id).lease;
    return lockOf(redlockOf(resource), resource, claim);
  };
  return {
    where: 'here',
    async acquire(id) {
      const sentMs = monotonicMs();
      try {
        const resource = keys.session(id).lease;
        const lock = await between('lease-acquire', () =>
          redlockOf(resource).acquire([resource], ttlMs),
        );
        return { token: lock.value, deadlineMs: sentMs + ttlMs };
      } catch {
        return undefined;
      }
    },
    async extend(id, claim) {
      const sentMs = monotonicMs();
      const extended = await between('lease-extend', async () =>
        lockFor(id, claim).extend(ttlMs),
      ).catch(() => undefined);
      return extended && sentMs + ttlMs;
    },
    async abandon(id, claim) {
      await between('lease-release', async () => lockFor(id, claim).release()).catch(
        () => undefined, // already lost: nothing to give back
      );
    },
  };
}

/** A lock as Redlock needs it: with its end by the wall clock. */
export function lockOf(redlock: Redlock, resource: string, { token, deadlineMs }: Claim): Lock {
  return new Lock(redlock, [resource], token, [], Date.now() + deadlineMs - monotonicMs());
}
