import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sleep } from '@sluice/runtime';
import { decodePublished, type Store, streamFields } from '@sluice/store';
import { startRedis, startTcpProxy, type TcpProxy, type TestRedis } from '@sluice/testkit';
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

const HOUR_MS = 3_600_000;

describe('a turn and its lease', () => {
  let redis: TestRedis;
  let client: Redis;
  let proxy: TcpProxy;
  let store: Store;
  let other: Store;
  const ref = refOf('s');
  const id = idOf(ref);

  beforeAll(async () => {
    redis = await startRedis({ args: ['--appendfsync', 'no'] });
    client = redis.client();
    proxy = await startTcpProxy(redis.port);
    store = await openTestStore(proxy.url, { nodeId: 'n1' });
    other = await openTestStore(redis.url, { nodeId: 'n2' });
  });
  beforeEach(async () => {
    await client.flushall();
  });

  const stateOf = (...fields: string[]) => client.hmget(store.keys.session(id).state, ...fields);
  const inboxIds = async () =>
    (await client.lrange(store.keys.session(id).inbox, 0, -1)).map((entry) => entry.split(' ')[0]);
  const redisMs = async () => {
    const [seconds, microseconds] = await client.time();
    return Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000);
  };
  /** The holder is gone, its lease has expired: somebody else begins. */
  async function takeOver(by: Store, turnId: string) {
    await expireLease(client, store, ref);
    return take(by, ref, turnId);
  }

  it('L1 when many want the lease at once, one gets it', async () => {
    await sessionWith(store, 's', 'm1');
    const wanting = Array.from({ length: 20 }, (_, n) =>
      take(n % 2 === 0 ? store : other, ref, `t${n}`),
    );
    const won = (await Promise.allSettled(wanting)).flatMap((result) =>
      result.status === 'fulfilled' ? [result.value] : [],
    );
    expect(won).toHaveLength(1);
    expect(await stateOf('token', 'turn_id', 'attempt')).toEqual([
      won[0]?.lease.token,
      won[0]?.head.turnId,
      '1',
    ]);
  });

  it('L1 a live lease whose Redlock Redis has forgotten is not taken over', async () => {
    await sessionWith(store, 's', 'm1');
    const { lease } = await take(store, ref, 't1');
    await client.del(store.keys.session(id).lease);
    const claim = await other.leases.acquire(id);
    expect(claim).toBeDefined();
    const before = await dump(client, 'sluice');
    const wanted = { id, token: claim?.token ?? '', fence: lease.fence };
    expect(await other.leases.begin(wanted, { turnId: 't2' })).toEqual({
      kind: 'refused',
      why: 'held',
    });
    expect(await dump(client, 'sluice')).toEqual(before);
  });

  it('L6 a lease is live until Redis says that its time is over', async () => {
    await sessionWith(store, 's', 'm1');
    const before = await redisMs();
    await take(store, ref, 't1');
    const [until] = await stateOf('lease_until');
    expect(Number(until)).toBeGreaterThanOrEqual(before + limits.ttlMs);
    expect(Number(until)).toBeLessThanOrEqual((await redisMs()) + limits.ttlMs);
    expect(await other.leases.peek(id, '')).toEqual({ kind: 'held', holder: 'n1' });
    await client.hset(store.keys.session(id).state, 'lease_until', (await redisMs()) - 1);
    expect((await other.leases.peek(id, '')).kind).toBe('free');
  });

  it('L2 each lease draws a higher fence, at least the time of Redis', async () => {
    await sessionWith(store, 's', 'm1');
    const before = await redisMs();
    const first = (await take(store, ref, 't1')).lease.fence;
    expect(first).toBeGreaterThanOrEqual(before);
    const second = (await takeOver(other, 't2')).lease.fence;
    expect(second).toBeGreaterThan(first);

    const ahead = (await redisMs()) + HOUR_MS; // as when the clock of Redis went back
    await client.hset(store.keys.session(id).state, 'fence', ahead);
    expect((await takeOver(store, 't3')).lease.fence).toBe(ahead + 1);
    // As when Redis lost its tail: an old fence stands there again.
    await client.hset(store.keys.session(id).state, 'fence', first);
    const after = (await takeOver(other, 't4')).lease.fence;
    expect(after).toBeGreaterThan(second);
  });

  it('L2 keeps its fence from turn to turn, also after a pause', async () => {
    await sessionWith(store, 's', 'm1', 'm2');
    const { lease } = await take(store, ref, 't1');
    const next = await store.leases.commit(lease, commitOf('t1'));
    expect(next).toMatchObject({ kind: 'next', head: { fence: lease.fence } });
    expect(await store.leases.commit(lease, commitOf('after-t1'))).toEqual({ kind: 'idle' });
    // It does not hear the wake: the script gives the lease up for it, and the next holder draws.
    await append(store, ref, 'm3');
    expect((await take(other, ref, 't3')).lease.fence).toBeGreaterThan(lease.fence);
  });

  it('L2 a process whose lease passed to another cannot draw one', async () => {
    await sessionWith(store, 's', 'm1');
    const { lease } = await take(store, ref, 't1');
    const { lease: current } = await takeOver(other, 't2');
    // Even if the other has gone too, and the late one has got the Redlock.
    await expireLease(client, store, ref);
    const claim = await store.leases.acquire(id);
    const late = { id, token: claim?.token ?? '', fence: lease.fence };
    expect(await store.leases.begin(late, { turnId: 't3' })).toEqual({
      kind: 'refused',
      why: 'fence',
    });
    expect(await stateOf('fence', 'turn_id')).toEqual([String(current.fence), 't2']);
  });

  it('T2 the message stays at the head until its turn commits', async () => {
    await sessionWith(store, 's', 'm1', 'm2');
    const { lease } = await take(store, ref, 't1');
    const batch = [streamFields('token_stream', 'm1', { content: 'x' })];
    await store.leases.appendEvents(lease, { turnId: 't1', number: 1, batch });
    expect(await inboxIds()).toEqual(['m1', 'm2']);
    const taken = await takeOver(other, 't2');
    expect(await inboxIds()).toEqual(['m1', 'm2']);
    expect(await other.inbox.cancel(ref, 'm1')).toBe('not_pending');
    await other.leases.release(taken.lease, 'force', 'drain');
    expect(await inboxIds()).toEqual(['m1', 'm2']);
    const { lease: last, head } = await take(store, ref, 't3');
    expect(head.entries.map((entry) => entry.split(' ')[0])).toEqual(['m1']);
    await store.leases.commit(last, commitOf('t3'));
    expect(await inboxIds()).toEqual(['m2']);
  });

  it('T2 commit is one script: inbox, history, log, outcome and publication', async () => {
    await sessionWith(store, 's', 'm1');
    const { lease } = await take(store, ref, 't1');
    const published: Buffer[] = [];
    const listener = redis.client();
    listener.on('messageBuffer', (_channel, bytes: Buffer) => published.push(bytes));
    await listener.subscribe(store.keys.channel(id));
    const sent: string[] = [];
    const stop = proxy.watch((request) => sent.push(request[0]?.toUpperCase() ?? ''));
    const trailing = [streamFields('token_stream', 'm1', { content: 'end' })];
    await store.leases.commit(lease, commitOf('t1', { content: 'Hello', trailing }));
    stop();
    await listener.ping();

    expect(sent.filter((name) => name === 'EVALSHA')).toHaveLength(1);
    expect(sent.filter((name) => !['EVALSHA', 'PING'].includes(name))).toEqual([]);
    const { inbox, events, seen } = store.keys.session(id);
    expect(await client.exists(inbox)).toBe(0);
    const read = await store.sessions.read(ref, { count: 10 });
    expect(read?.state.messages).toMatchObject([
      { role: 'user', content: 'content of m1', message_id: 'm1' },
      { role: 'assistant', content: 'Hello', message_id: 'm1', turn_id: 't1' },
    ]);
    const log = await store.sessions.log(ref, { after: 0, count: 10 });
    expect(log?.events).toMatchObject([
      { seq: 1, kind: 'accepted', messageId: 'm1' },
      { seq: 2, kind: 'stream', type: 'token_stream', turnId: 't1', attempt: 1 },
      { seq: 3, kind: 'final', messageId: 'm1', turnId: 't1', status: 'ok', content: 'Hello' },
    ]);
    expect(published.flatMap((bytes) => decodePublished(bytes))).toEqual(log?.events.slice(1));
    expect(await client.zscore(seen, 'm1')).toBe('3');
    expect(await client.xlen(events)).toBe(3);
  });

  it('T3 each start of a turn is an attempt, whoever starts it', async () => {
    await sessionWith(store, 's', 'm1', 'm2');
    const { lease, head } = await take(store, ref, 't1');
    expect(head.attempt).toBe(1);
    // Under its own lease a head is started once.
    const same = await store.leases.begin(lease, { turnId: 'other' });
    expect(same).toMatchObject({ kind: 'begun', head: { attempt: 1, turnId: 't1' } });
    expect((await takeOver(other, 't2')).head).toMatchObject({ attempt: 2, turnId: 't2' });
    const third = await takeOver(other, 't3');
    expect(third.head.attempt).toBe(3);
    const log = await store.sessions.log(ref, { after: 0, count: 20 });
    expect(log?.events.slice(2)).toMatchObject([
      { type: 'retry_stream', turnId: 't2', attempt: 2, messageId: 'm1' },
      { type: 'retry_stream', turnId: 't3', attempt: 3, messageId: 'm1' },
    ]);
    // T4: max_attempts is 3, the fourth is the last one; and the next message begins at one again.
    const fourth = await takeOver(store, 't4');
    expect(fourth.head).toMatchObject({ attempt: 4, isAlone: true });
    const fifth = await takeOver(store, 't5');
    expect(fifth.begun.kind).toBe('exhausted');
    expect(fifth.head.attempt).toBe(4);
    const next = await store.leases.commit(fifth.lease, commitOf('t5'));
    expect(next).toMatchObject({ kind: 'next', head: { attempt: 1 } });
  });

  it('T3 T4 aborted hand-overs do not count, but each one beyond max_hand_overs does', async () => {
    await sessionWith(store, 's', 'm1', 'm2');
    const started: [string, number][] = [];
    for (let n = 1; n <= 7; n++) {
      const { lease, head, begun } = await take(n % 2 === 0 ? store : other, ref, `t${n}`);
      started.push([begun.kind, head.attempt]);
      await store.leases.release(lease, 'force', 'drain');
      expect(await stateOf('hand_overs')).toEqual([String(n)]);
    }
    // max_hand_overs is 2, max_attempts 3.
    expect(started).toEqual([
      ['begun', 1],
      ['begun', 1],
      ['begun', 1],
      ['begun', 2],
      ['begun', 3],
      ['exhausted', 3],
      ['exhausted', 3],
    ]);
    const last = await take(store, ref, 't8');
    const end = commitOf('t8', { status: 'dead_lettered' });
    expect(await store.leases.commit(last.lease, end)).toMatchObject({
      kind: 'next',
      head: { attempt: 1 },
    });
    expect(await stateOf('hand_overs')).toEqual([null]);
  });

  it('T3 a crash counts beside the hand-overs, and does not make them count sooner', async () => {
    await sessionWith(store, 's', 'm1');
    const first = await take(store, ref, 't1');
    await store.leases.release(first.lease, 'force', 'drain');
    const second = await take(other, ref, 't2');
    expect(second.head.attempt).toBe(1);
    const third = await takeOver(store, 't3');
    expect(third.head.attempt).toBe(2);
    await store.leases.release(third.lease, 'force', 'drain');
    const fourth = await take(other, ref, 't4');
    expect(fourth.head.attempt).toBe(2);
    await other.leases.release(fourth.lease, 'force', 'drain');
    expect((await take(store, ref, 't5')).head.attempt).toBe(3);
  });

  it('D5 the time between the last commit here and the turn there is measured by Redis', async () => {
    await sessionWith(store, 's', 'm1', 'm2', 'm3');
    const first = await take(store, ref, 't1');
    expect(first.head.pauseMs).toBeNaN();
    await store.leases.commit(first.lease, commitOf('t1', { fetch: false }));
    await sleep(60);
    await store.leases.release(first.lease, 'hand_over');
    await sleep(60);
    const second = await take(other, ref, 't2');
    expect(second.head.pauseMs).toBeGreaterThanOrEqual(115);
    expect(second.head.pauseMs).toBeLessThan(1_000);

    await sleep(200);
    await store.leases.release(second.lease, 'force', 'drain'); // counts from here: it ran until now
    await sleep(60);
    const third = await take(store, ref, 't3');
    expect(third.head.pauseMs).toBeGreaterThanOrEqual(58);
    expect(third.head.pauseMs).toBeLessThan(190);

    // Going to the back of the line is not a hand-over.
    await store.leases.commit(third.lease, commitOf('t3', { fetch: false }));
    await store.leases.release(third.lease, 'yield');
    expect((await take(other, ref, 't4')).head.pauseMs).toBeNaN();
  });

  it('T4 a message that was given up is not tried again when its holder drains before the commit', async () => {
    await sessionWith(store, 's', 'm1');
    await take(store, ref, 't1');
    for (const turnId of ['t2', 't3', 't4']) await takeOver(other, turnId);
    const { begun, lease } = await takeOver(store, 't5');
    expect(begun.kind).toBe('exhausted');
    await store.leases.release(lease, 'force', 'drain');
    const next = await take(other, ref, 't6');
    expect([next.begun.kind, next.head.attempt]).toEqual(['exhausted', 4]);
  });

  it('T3 a hand-over between two turns does not count either', async () => {
    await sessionWith(store, 's', 'm1', 'm2');
    const { lease } = await take(store, ref, 't1');
    await store.leases.commit(lease, commitOf('t1', { fetch: false }));
    await store.leases.release(lease, 'yield');
    const { head } = await take(other, ref, 't2');
    expect(head.attempt).toBe(1);
    expect(head.entries.map((entry) => entry.split(' ')[0])).toEqual(['m2']);
  });
});
