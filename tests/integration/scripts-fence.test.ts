import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type Lease, type Store, streamFields } from '@sluice/store';
import { eventually, startRedis, stopLater } from '@sluice/testkit';
import type { Redis } from 'ioredis';
import { type Connection, connect } from '../../packages/store/dist/redis/connect.js';
import { limitArgs } from '../../packages/store/dist/script/limits.js';
import { leaseRenew } from '../../packages/store/dist/script/scripts.js';
import {
  append,
  commitOf,
  dump,
  expireLease,
  idOf,
  limits,
  openTestStore,
  sessionWith,
  take,
} from '../support/scripts/scripts-world.js';

const noop = () => undefined;

describe('a write under a lease', () => {
  let client: Redis;
  let store: Store;
  let connection: Connection;

  beforeAll(async () => {
    const redis = await startRedis({ args: ['--appendfsync', 'no'] });
    client = redis.client();
    store = await openTestStore(redis.url);
    connection = connect(
      { url: redis.url },
      {
        ...{ onError: noop, onReady: noop },
        limits: limitArgs(limits),
      },
    );
    stopLater(() => connection.close());
    await eventually(() => connection.isReady());
  });
  beforeEach(async () => {
    await client.flushall();
  });

  const batch = [streamFields('token_stream', 'm1', { content: 'x' })];
  const release = (how: 'yield' | 'force') => (lease: Lease) =>
    store.leases.release(lease, how, 'drain');
  /** Every script that runs under a lease, and what it answers to the holder. */
  const writes: [string, (lease: Lease) => Promise<{ kind: string }>, string][] = [
    [
      'events-append',
      (lease) => store.leases.appendEvents(lease, { turnId: 't1', number: 9, batch }),
      'appended',
    ],
    ['turn-commit', (lease) => store.leases.commit(lease, commitOf('t1')), 'next'],
    ['turn-release yield', release('yield'), 'handed'],
    ['turn-release force', release('force'), 'handed'],
    [
      'lease-renew',
      (lease) => {
        const { token, fence, id } = lease;
        const args = { token, fence, id, ttl: limits.ttlMs };
        return connection.run(leaseRenew, store.keys.session(id), args);
      },
      'renewed',
    ],
    ['turn-begin', (lease) => store.leases.begin(lease, { turnId: 't9' }), 'begun'],
  ];
  /** Every pair of token and fence that is not the stored one. */
  const others: [string, (lease: Lease) => Lease][] = [
    ['an older fence', (lease) => ({ ...lease, fence: lease.fence - 1 })],
    ['a future fence', (lease) => ({ ...lease, fence: lease.fence + 1 })],
    ['no fence at all', (lease) => ({ ...lease, fence: 0 })],
    ['the right fence and a foreign token', (lease) => ({ ...lease, token: 'somebody-else' })],
    ['the right fence and no token', (lease) => ({ ...lease, token: '' })],
  ];
  const refusals = (name: string) => (name === 'turn-begin' ? 'refused' : 'fenced');

  it.each(writes)(
    'L3 %s is refused under any pair but the stored one',
    async (name, write, own) => {
      const ref = await sessionWith(store, 's', 'm1', 'm2');
      const { lease } = await take(store, ref, 't1');
      const before = await dump(client, store.keys.prefix);
      for (const [which, pair] of others) {
        const { kind } = await write(pair(lease));
        expect([which, kind]).toEqual([which, refusals(name)]);
        expect(await dump(client, store.keys.prefix)).toEqual(before);
      }
      expect((await write(lease)).kind).toBe(own);
    },
  );

  it.each(writes)('L3 %s is refused while its holder idles', async (name, write) => {
    const ref = await sessionWith(store, 's', 'm1');
    const { lease } = await take(store, ref, 't1');
    await store.leases.commit(lease, commitOf('t1'));
    const before = await dump(client, store.keys.prefix);
    for (const [which, pair] of others) {
      const { kind } = await write(pair(lease));
      expect([which, kind]).toEqual([which, refusals(name)]);
    }
    expect(await dump(client, store.keys.prefix)).toEqual(before);
  });

  it.each(writes)('L3 %s of a holder whose lease passed on is refused', async (name, write) => {
    const ref = await sessionWith(store, 's', 'm1', 'm2');
    const { lease: late } = await take(store, ref, 't1');
    await expireLease(client, store, ref);
    await take(store, ref, 't2');
    const before = await dump(client, store.keys.prefix);
    expect((await write(late)).kind).toBe(refusals(name));
    expect(await dump(client, store.keys.prefix)).toEqual(before);
  });

  it.each(writes.filter(([name]) => !name.startsWith('turn-release') && name !== 'turn-begin'))(
    'L3 %s is refused once the lease was given up, by its holder or for it',
    async (_name, write) => {
      const ref = await sessionWith(store, 's', 'm1');
      const { lease } = await take(store, ref, 't1');
      await store.leases.commit(lease, commitOf('t1'));
      // Nobody hears the wake: the script gives the lease up in the holder's place.
      await append(store, ref, 'm2');
      const before = await dump(client, store.keys.prefix);
      expect((await write(lease)).kind).toBe('fenced');
      expect(await dump(client, store.keys.prefix)).toEqual(before);

      const { lease: next } = await take(store, ref, 't2');
      await store.leases.release(next, 'yield');
      const after = await dump(client, store.keys.prefix);
      expect((await write(next)).kind).toBe('fenced');
      expect(await dump(client, store.keys.prefix)).toEqual(after);
    },
  );

  it('L3 a lease key with another token gives no lease, whatever the state says', async () => {
    const ref = await sessionWith(store, 's', 'm1');
    const { lease } = await take(store, ref, 't1');
    await client.set(store.keys.session(idOf(ref)).lease, 'another-redlock');
    const before = await dump(client, store.keys.prefix);
    const begun = await store.leases.begin(lease, { turnId: 't2' });
    expect(begun).toEqual({ kind: 'refused', why: 'lease' });
    expect(await dump(client, store.keys.prefix)).toEqual(before);
  });
});
