import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { monotonicMs } from '@sluice/runtime';
import { type Lease, NoMajority, type Store } from '@sluice/store';
import { eventually, startRedis, type TestRedis } from '@sluice/testkit';
import type { Redis } from 'ioredis';
import { startMembers, urlsOf } from '../support/quorum.js';
import {
  append,
  commitOf,
  idOf,
  openTestStore,
  refOf,
  sessionWith,
  take,
} from '../support/scripts/scripts-world.js';

const TTL_MS = 3_000;

describe('a Redlock quorum of three', () => {
  let redis: TestRedis;
  let members: TestRedis[];
  let clients: Redis[];
  let store: Store;
  let other: Store;
  let sessions = 0;
  const open = (nodeId: string) =>
    openTestStore(redis.url, {
      ...{ nodeId, partitions: 1, quorum: urlsOf(members), limits: { ttlMs: TTL_MS } },
    });
  beforeAll(async () => {
    redis = await startRedis({ args: ['--appendfsync', 'no'] });
    members = await startMembers(3);
    clients = members.map((member) => member.client());
    store = await open('n1');
    other = await open('n2');
  });
  beforeEach(() => {
    sessions += 1;
  });
  afterEach(async () => {
    for (const member of members) await member.resume();
    await eventually(() => [store, other].every(({ quorum }) => quorum?.answering() === 3), 10_000);
    await Promise.all(clients.map((client) => client.flushall()));
  });

  const session = (...messages: string[]) => sessionWith(store, `s${sessions}`, ...messages);
  const keyOf = (id: string) => store.keys.session(id).lease;
  const tokens = (id: string) => Promise.all(clients.map((client) => client.get(keyOf(id))));
  const renewMany = async (leases: readonly Lease[]) =>
    (await store.manyLeases.renew(0, leases)).replies;

  it('L1 has the Redlock at every member and not in the data Redis, from the begin to the release', async () => {
    const ref = await session('m1');
    const { lease, claim } = await take(store, ref, 't1');
    await eventually(async () => (await tokens(lease.id)).every((it) => it === claim.token));
    expect(await redis.client().exists(keyOf(lease.id))).toBe(0);
    expect(claim.deadlineMs - monotonicMs()).toBeLessThanOrEqual(TTL_MS * 0.99);
    expect(await other.leases.acquire(lease.id)).toBeUndefined();
    expect((await store.leases.renew(lease, claim.deadlineMs)).reply).toMatchObject({
      kind: 'renewed',
    });
    expect(await store.leases.release(lease, 'yield')).toMatchObject({ kind: 'handed' });
    await eventually(async () => (await tokens(lease.id)).every((it) => it === null));
    expect((await take(other, ref, 't2')).head.attempt).toBe(1);
  });

  it('L1 renews and gives up idle leases together, with one call to each member', async () => {
    const leases: Lease[] = [];
    for (const name of ['a', 'b', 'c']) {
      const ref = await sessionWith(store, `${name}${sessions}`, 'm1');
      const { lease } = await take(store, ref, `t-${name}`);
      await store.leases.commit(lease, commitOf(`t-${name}`));
      leases.push(lease);
    }
    const [first] = leases;
    if (!first) throw new Error('no lease');
    await eventually(async () => (await tokens(first.id)).every((it) => it === first.token));
    for (const client of clients) {
      for (const { id } of leases) await client.pexpire(keyOf(id), 1_000);
      await client.config('RESETSTAT');
    }
    expect(await renewMany(leases)).toEqual(
      leases.map(() => ({ kind: 'renewed', abort: '', waits: false })),
    );
    for (const client of clients) {
      expect(await client.pttl(keyOf(first.id))).toBeGreaterThan(1_500);
      const stats = await client.info('commandstats');
      expect(stats).toMatch(/cmdstat_pexpire:calls=3,/);
    }
    expect((await store.manyLeases.release(0, leases)).map(({ kind }) => kind)).toEqual(
      leases.map(() => 'released'),
    );
    for (const { id } of leases) {
      await eventually(async () => (await tokens(id)).every((it) => it === null));
    }
  });

  it('L1 one frozen member delays nothing, and gets the Redlock later', async () => {
    await members[2]?.pause();
    const ref = await session('m1');
    const startMs = monotonicMs();
    const { lease, claim } = await take(store, ref, 't1');
    expect(monotonicMs() - startMs).toBeLessThan(1_000);
    let { deadlineMs } = await store.leases.renew(lease, claim.deadlineMs);
    expect(deadlineMs).toBeGreaterThan(claim.deadlineMs);
    await members[2]?.resume();
    await eventually(async () => {
      ({ deadlineMs } = await store.leases.renew(lease, deadlineMs));
      return (await tokens(lease.id)).every((it) => it === lease.token);
    }, 10_000);
  });

  it('L1 two members that were restarted empty, one after the other, cost no lease', async () => {
    const ref = await session('m1');
    const { lease, claim } = await take(store, ref, 't1');
    let { deadlineMs } = claim;
    for (const client of clients.slice(0, 2)) {
      await client.flushall();
      ({ deadlineMs } = await store.leases.renew(lease, deadlineMs));
      await eventually(async () => (await client.get(keyOf(lease.id))) === lease.token);
    }
    await clients[2]?.flushall();
    await store.leases.commit(lease, commitOf('t1'));
    expect(await renewMany([lease])).toMatchObject([{ kind: 'renewed' }]);
    expect(await clients[2]?.get(keyOf(lease.id))).toBe(lease.token);
  });

  it('L3 a quorum that was emptied lets another take the Redlock, but the fence and the time of the lease refuse it', async () => {
    const ref = await session('m1', 'm2');
    const { lease, head } = await take(store, ref, 't1');
    for (const client of clients) await client.flushall();
    const claim = await other.leases.acquire(lease.id);
    expect(claim).toBeDefined();
    const token = claim?.token ?? '';
    const stolen = { id: lease.id, token, fence: head.fence };
    expect(await other.leases.begin(stolen, { turnId: 't2' })).toEqual({
      kind: 'refused',
      why: 'held',
    });
    expect(await other.leases.commit(stolen, commitOf('t2'))).toEqual({ kind: 'fenced' });
    expect(await store.leases.commit(lease, commitOf('t1', { fetch: false }))).toEqual({
      kind: 'more',
    });
    expect(await renewMany([lease])).toEqual([{ kind: 'unlocked' }]);
  });

  it('L1 without a majority nobody takes a lease, and one that is held is not prolonged', async () => {
    const ref = await session('m1');
    const { lease, claim } = await take(store, ref, 't1');
    const free = await sessionWith(store, `free${sessions}`, 'm1');
    for (const member of members.slice(1)) await member.pause();
    await expect(other.leases.acquire(idOf(free))).rejects.toThrow(NoMajority);
    expect((await store.leases.renew(lease, claim.deadlineMs)).deadlineMs).toBe(claim.deadlineMs);
    const until = Number(
      await redis.client().hget(store.keys.session(lease.id).state, 'lease_until'),
    );
    expect(until).toBeLessThan(Date.now() + claim.deadlineMs - monotonicMs() + 200);
    await store.leases.commit(lease, commitOf('t1'));
    expect(await renewMany([lease])).toEqual([{ kind: 'unreached' }]);
  });

  it('T3 a turn whose Redlock could not be kept is handed over, at no attempt', async () => {
    const ref = await session('m1', 'm2');
    const { lease } = await take(store, ref, 't1');
    expect(await store.leases.release(lease, 'lost')).toMatchObject({
      kind: 'handed',
      ring: expect.stringMatching(/^\d+$/),
      record: '',
    });
    const next = await take(other, ref, 't2');
    expect(next.head).toMatchObject({ attempt: 1, isTakenOver: false, isCut: false });
    const field = (name: string) => redis.client().hget(store.keys.session(lease.id).state, name);
    expect(await field('hand_overs')).toBe('1');
  });

  it('T4 hand-overs that cut a turn count as attempts when there are too many of them', async () => {
    const ref = await session('m1');
    const attempts: number[] = [];
    for (let turn = 1; turn <= 4; turn++) {
      const { lease, head } = await take(store, ref, `t${turn}`);
      attempts.push(head.attempt);
      await store.leases.release(lease, 'lost');
    }
    expect(attempts).toEqual([1, 1, 1, 2]);
  });

  it('L3 nodes with and without the quorum keep one holder for each session', async () => {
    const plain = await openTestStore(redis.url, { nodeId: 'n3', partitions: 1 });
    const ref = await session('m1');
    const { lease, head } = await take(store, ref, 't1');
    const claim = await plain.leases.acquire(lease.id);
    const stolen = { id: lease.id, token: claim?.token ?? '', fence: head.fence };
    expect(await plain.leases.begin(stolen, { turnId: 't2' })).toMatchObject({ why: 'held' });
    if (claim) await plain.leases.abandon(lease.id, claim);
    await store.leases.release(lease, 'yield');
    await take(plain, ref, 't3');
    await append(store, ref, 'm2');
    await expect(take(store, ref, 't4')).rejects.toThrow('not free: held');
  });

  it('L1 a claim that did not become a lease is given back at every member', async () => {
    const ref = refOf(`s${sessions}`);
    const claim = await store.leases.acquire(idOf(ref));
    if (!claim) throw new Error('no claim');
    await store.leases.abandon(idOf(ref), claim);
    await eventually(async () => (await tokens(idOf(ref))).every((it) => it === null));
  });
});
