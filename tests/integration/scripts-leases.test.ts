import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { monotonicMs } from '@sluice/runtime';
import type { Lease, Store } from '@sluice/store';
import { eventually, startRedis, type TestRedis } from '@sluice/testkit';
import type { Redis } from 'ioredis';
import {
  append,
  commitOf,
  dump,
  expireLease,
  idOf,
  limits,
  openTestStore,
  refOf,
  sessionWith,
  take,
} from '../support/scripts/scripts-world.js';

const NAMES = ['a', 'b', 'c'];

describe('many leases of one partition', () => {
  let redis: TestRedis;
  let client: Redis;
  let store: Store;
  beforeAll(async () => {
    redis = await startRedis({ args: ['--appendfsync', 'no'] });
    client = redis.client();
    store = await openTestStore(redis.url, { partitions: 1 });
  });
  beforeEach(async () => {
    await client.flushall();
  });

  const keysOf = (name: string) => store.keys.session(idOf(refOf(name)));
  const until = async (name: string) =>
    Number(await client.hget(keysOf(name).state, 'lease_until'));
  const renew = async (leases: readonly Lease[]) =>
    (await store.manyLeases.renew(0, leases)).replies;
  const release = (leases: readonly Lease[]) => store.manyLeases.release(0, leases);

  /** A lease with an empty inbox. */
  async function idle(name: string): Promise<Lease> {
    const ref = await sessionWith(store, name, `${name}-1`);
    const { lease } = await take(store, ref, `t-${name}`);
    await store.leases.commit(lease, commitOf(`t-${name}`));
    return lease;
  }
  const idleAll = async () => {
    const leases: Lease[] = [];
    for (const name of NAMES) leases.push(await idle(name));
    return leases as [Lease, Lease, Lease];
  };
  /** Some time has passed since all of them were taken. */
  const aged = async (names = NAMES) => {
    for (const name of names) {
      await client.hincrby(keysOf(name).state, 'lease_until', -5_000);
      await client.pexpire(keysOf(name).lease, 5_000);
    }
  };
  /** Every key but those of the session. */
  const others = async (name: string) => {
    const all = Object.entries(await dump(client, store.keys.prefix));
    return all.filter(([key]) => !key.startsWith(keysOf(name).state.replace(/state$/, '')));
  };
  async function damage(key: string) {
    await client.pipeline().del(key).sadd(key, 'x').exec();
  }

  it('L1 are renewed in one call, state and Redlock; their time counts from before it was sent', async () => {
    const leases = await idleAll();
    await aged();
    const sentMs = monotonicMs();
    const { replies, deadlineMs } = await store.manyLeases.renew(0, leases);
    expect(replies).toEqual(leases.map(() => ({ kind: 'renewed', abort: '', waits: false })));
    expect(deadlineMs).toBeGreaterThanOrEqual(sentMs + limits.ttlMs);
    expect(deadlineMs).toBeLessThanOrEqual(monotonicMs() + limits.ttlMs);
    const [seconds] = await client.time();
    for (const name of NAMES) {
      expect(await until(name)).toBeGreaterThan(Number(seconds) * 1_000 + limits.ttlMs - 2_000);
      expect(await client.pttl(keysOf(name).lease)).toBeGreaterThan(limits.ttlMs - 2_000);
    }
  });

  it('L1 C4 have no expiry while they are renewed, and the sweep looks at them when they end', async () => {
    const leases = await idleAll();
    const { held } = store.keys.partition(0);
    await client.zadd(held, 'XX', 1, leases[0].id);
    await renew(leases);
    for (const name of NAMES) {
      expect(await client.pexpiretime(keysOf(name).state)).toBe(-1);
      expect(Number(await client.zscore(held, idOf(refOf(name))))).toBe(await until(name));
    }
    const since = Date.now();
    await release(leases);
    expect(await client.zcard(held)).toBe(0);
    const { state, events, messages, seen } = keysOf('a');
    const at = await Promise.all(
      [state, events, messages, seen].map((it) => client.pexpiretime(it)),
    );
    expect(new Set(at).size).toBe(1);
    expect(at[0]).toBeGreaterThanOrEqual(since + limits.resumeWindowMs - 1_000);
  });

  it('L3 a lease that has passed on is refused, and the new holder keeps its own', async () => {
    const [a, b, c] = await idleAll();
    await expireLease(client, store, refOf('b'));
    await append(store, refOf('b'), 'b-2');
    const { lease: next } = await take(store, refOf('b'), 't2');
    await aged();
    const before = await until('b');
    const keys = keysOf('b');
    const [state, left] = [await client.hgetall(keys.state), await client.pttl(keys.lease)];
    const kinds = (await renew([a, b, c])).map(({ kind }) => kind);
    expect(kinds).toEqual(['renewed', 'fenced', 'renewed']);
    expect(await client.hgetall(keys.state)).toEqual(state);
    expect(await client.pttl(keys.lease)).toBeLessThanOrEqual(left);
    expect(await until('b')).toBe(before);
    expect((await release([a, b, c])).map(({ kind }) => kind)).toEqual([
      ...['released', 'fenced', 'released'],
    ]);
    expect(await client.get(keys.lease)).toBe(next.token);
    expect(await client.hget(keys.state, 'token')).toBe(next.token);
  });

  it('L3 any token and fence but the stored ones are refused, and nothing changes', async () => {
    const lease = await idle('a');
    const before = await dump(client, store.keys.prefix);
    const wrong = [
      { ...lease, fence: lease.fence - 1 },
      { ...lease, fence: lease.fence + 1 },
      { ...lease, token: 'somebody-else' },
      { ...lease, token: '' },
    ];
    expect(await renew(wrong)).toEqual(wrong.map(() => ({ kind: 'fenced', isEnded: false })));
    expect(await release(wrong)).toEqual(wrong.map(() => ({ kind: 'fenced' })));
    expect(await dump(client, store.keys.prefix)).toEqual(before);
  });

  it('L1 a lease without its Redlock, or with the Redlock of another, is not extended, and can be given up', async () => {
    const leases = await idleAll();
    await aged();
    await client.del(keysOf('a').lease);
    await client.set(keysOf('b').lease, 'of-another', 'PX', 5_000);
    const before = [await until('a'), await until('b')];
    expect((await renew(leases)).map(({ kind }) => kind)).toEqual([
      ...['unlocked', 'unlocked', 'renewed'],
    ]);
    expect([await until('a'), await until('b')]).toEqual(before);
    expect(await client.exists(keysOf('a').lease)).toBe(0);
    expect(await client.pttl(keysOf('b').lease)).toBeLessThanOrEqual(5_000);
    expect((await release(leases)).map(({ kind }) => kind)).toEqual(leases.map(() => 'released'));
    expect(await client.get(keysOf('b').lease)).toBe('of-another');
    expect(await client.exists(keysOf('c').lease)).toBe(0);
  });

  it('D9 C4 a lease of a session that was ended, or has expired, does not count as lost', async () => {
    const leases = await idleAll();
    const by = { callId: 'c1', reason: 'Ended by client', reasonCode: 'client_end' } as const;
    await store.sessions.end(refOf('a'), by);
    await client.del(keysOf('b').state);
    expect(await renew(leases)).toMatchObject([
      { kind: 'fenced', isEnded: true },
      { kind: 'fenced', isEnded: true },
      { kind: 'renewed' },
    ]);
    // The Redlock of a session that is gone must not block anybody.
    expect(await client.exists(keysOf('b').lease, keysOf('b').state)).toBe(0);
  });

  it('C2 a lease whose keys are damaged is named and left as it is, and does not stop the others', async () => {
    const leases = await idleAll();
    for (const key of ['state', 'lease', 'inbox'] as const) {
      await damage(keysOf('b')[key]);
      const own = await client.dump(keysOf('b')[key]);
      for (const many of [renew, release]) {
        await aged(['a', 'c']);
        const replies = await many(leases);
        const done = many === renew ? 'renewed' : 'released';
        expect(replies.map(({ kind }) => kind)).toEqual([done, 'damaged', done]);
        expect(replies[1]).toMatchObject({ why: expect.stringMatching(/WRONGTYPE/) });
        expect(await client.dump(keysOf('b')[key])).toEqual(own);
      }
      await client.flushall();
      leases.splice(0, 3, ...(await idleAll()));
    }
    await damage(store.keys.partition(0).held);
    const before = await dump(client, store.keys.prefix);
    await expect(renew(leases)).rejects.toThrow(/WRONGTYPE|held/);
    expect(await dump(client, store.keys.prefix)).toEqual(before);
  });

  it('T7 a renewal says whether messages wait, and does not move the next look of the sweep', async () => {
    const [a, b, c] = await idleAll();
    await client.rpush(keysOf('b').inbox, 'b-2 1 0 enqueue {"c":"x"}');
    await client.zadd(store.keys.partition(0).pending, 1, b.id);
    expect(await renew([a, b, c])).toMatchObject([
      { waits: false },
      { waits: true },
      { waits: false },
    ]);
    const due = await client.zrange(store.keys.partition(0).pending, 0, '-1', 'WITHSCORES');
    expect(due[due.indexOf(b.id) + 1]).toBe('1');
    await client.del(store.keys.partition(0).swept);
    expect((await store.sweep(0)).rings).toEqual([]);
    const moved = await client.zscore(store.keys.partition(0).pending, b.id);
    expect(moved).toBe(String(await until('b')));
  });

  it('T6 a renewal brings the abort of a head that has begun', async () => {
    const ref = await sessionWith(store, 'a', 'm1');
    const { lease } = await take(store, ref, 't1');
    await store.inbox.abort(ref, { reason: 'user', callId: 'a1' });
    expect(await renew([lease])).toEqual([{ kind: 'renewed', abort: 'user', waits: true }]);
  });

  it('D5 leases with an empty inbox are given up, and the next message rings', async () => {
    const leases = await idleAll();
    await client.rpush(keysOf('b').inbox, 'b-2 1 0 enqueue {"c":"x"}');
    await client.del(store.keys.partition(0).held); // the list of all of them
    const before = await others('a');
    expect(await release(leases.slice(0, 1))).toEqual([{ kind: 'released' }]);
    expect(await others('a')).toEqual(before);
    expect(await release(leases)).toEqual([
      { kind: 'released' }, // a repeat
      { kind: 'more' },
      { kind: 'released' },
    ]);
    for (const name of ['a', 'c']) {
      expect(await client.hmget(keysOf(name).state, 'holder', 'token')).toEqual([null, null]);
      expect(await client.exists(keysOf(name).lease)).toBe(0);
    }
    expect(await client.get(keysOf('b').lease)).toBe(leases[1].token);
    expect(await append(store, refOf('a'), 'a-2')).toMatchObject({ kind: 'accepted' });
    const rung = async () => client.hget(keysOf('a').state, 'ring_mark');
    await eventually(async () => (await rung()) !== null);
    const { begun } = await take(store, refOf('a'), 't2');
    expect(begun).toMatchObject({ head: { isTakenOver: false } });
  });

  it('C3 a full Redis still renews and releases leases', async () => {
    const leases = await idleAll();
    await aged();
    await client.config('SET', 'maxmemory', '1mb');
    try {
      expect((await renew(leases)).map(({ kind }) => kind)).toEqual(leases.map(() => 'renewed'));
      expect((await release(leases)).map(({ kind }) => kind)).toEqual(leases.map(() => 'released'));
    } finally {
      await client.config('SET', 'maxmemory', '0');
    }
  });
});
