import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sleep } from '@sluice/runtime';
import type { Lease, Retry, Store } from '@sluice/store';
import { startRedis } from '@sluice/testkit';
import type { Redis } from 'ioredis';
import {
  commitOf,
  expireLease,
  idOf,
  openTestStore,
  refOf,
  sessionWith,
  take,
} from '../support/scripts/scripts-world.js';

const HOUR_MS = 3_600_000;

describe('another attempt', () => {
  let client: Redis;
  let store: Store;
  let other: Store;
  const ref = refOf('s');
  const id = idOf(ref);

  beforeAll(async () => {
    const redis = await startRedis({ args: ['--appendfsync', 'no'] });
    client = redis.client();
    store = await openTestStore(redis.url, { nodeId: 'n1' });
    other = await openTestStore(redis.url, { nodeId: 'n2' });
  });
  beforeEach(async () => {
    await client.flushall();
  });

  const stateOf = (...fields: string[]) => client.hmget(store.keys.session(id).state, ...fields);
  const inboxIds = async () =>
    (await client.lrange(store.keys.session(id).inbox, 0, -1)).map((entry) => entry.split(' ')[0]);
  /** The holder is gone, its lease has expired: somebody else begins. */
  async function takeOver(by: Store, turnId: string) {
    await expireLease(client, store, ref);
    return take(by, ref, turnId);
  }
  const retry = (lease: Lease, turnId: string, how: Retry['how'], retryForMs = HOUR_MS) =>
    store.leases.retry(lease, { turnId, how, delayMs: HOUR_MS, retryForMs });
  const ripen = () => client.hset(store.keys.session(id).state, 'retry_at', 1);

  it('T5 T3 failures of the agent count as attempts, but not against max_attempts', async () => {
    await sessionWith(store, 's', 'm1');
    for (let n = 1; n <= 5; n++) {
      const { lease, head } = await take(store, ref, `t${n}`);
      expect(head).toMatchObject({ attempt: n, isAlone: false });
      expect(await retry(lease, `t${n}`, 'failed')).toMatchObject({ kind: 'waiting' });
      await ripen();
    }
    // Two crashes of three, then a failure: one more crash is left before the last attempt.
    for (const turnId of ['t6', 't7']) await takeOver(store, turnId);
    const { lease, head } = await takeOver(store, 't8');
    expect(head).toMatchObject({ attempt: 8, isAlone: false });
    await retry(lease, 't8', 'failed');
    await ripen();
    expect((await take(store, ref, 't9')).head).toMatchObject({ attempt: 9, isAlone: false });
    expect((await takeOver(store, 't10')).head).toMatchObject({ attempt: 10, isAlone: true });
  });

  it('T5 a message that has failed for too long, by the clock of Redis, is not tried again', async () => {
    await sessionWith(store, 's', 'm1');
    const first = await take(store, ref, 't1');
    await retry(first.lease, 't1', 'failed', 300);
    await ripen();
    const second = await take(other, ref, 't2');
    expect(await retry(second.lease, 't2', 'failed', 300)).toMatchObject({ kind: 'waiting' });
    await sleep(310);
    await ripen();
    const third = await take(store, ref, 't3');
    expect(await retry(third.lease, 't3', 'failed', 300)).toEqual({ kind: 'spent' });
    await store.leases.commit(third.lease, commitOf('t3', { status: 'dead_lettered' }));
    expect(await stateOf('cuts', 'retry_at', 'failing_since')).toEqual([null, null, null]);
  });

  it('T5 while a head waits it has no holder, and nothing begins behind it', async () => {
    await sessionWith(store, 's', 'm1', 'm2');
    const { lease } = await take(store, ref, 't1');
    const { ring } = { ring: '', ...(await retry(lease, 't1', 'failed')) };
    expect(await stateOf('holder', 'token')).toEqual([null, null]);
    expect(await store.leases.acquire(id)).toBeDefined();
    const peeked = await store.leases.peek(id, ring);
    expect(peeked).toEqual({ kind: 'waits', ms: expect.closeTo(HOUR_MS, -4) });
    expect(await store.leases.peek(id, '999')).toEqual({ kind: 'waits', ms: Number.NaN });
    const due = Number(await client.zscore(store.keys.session(id).pending, id));
    expect(due - Date.now()).toBeGreaterThan(HOUR_MS);
    expect(await inboxIds()).toEqual(['m1', 'm2']);
  });

  it('T4 a process that dies counts like a node, and the last attempt runs alone', async () => {
    await sessionWith(store, 's', 'm1');
    for (let n = 1; n <= 3; n++) {
      const { lease, head } = await take(store, ref, `t${n}`);
      expect(head).toMatchObject({ attempt: n, isAlone: false });
      await retry(lease, `t${n}`, 'cut', 0);
      await ripen();
    }
    expect(await store.leases.peek(id, '')).toMatchObject({ kind: 'free', isLast: true });
    const { lease, head } = await take(store, ref, 't4');
    expect(head).toMatchObject({ attempt: 4, isAlone: true });
    expect(await retry(lease, 't4', 'cut')).toEqual({ kind: 'spent' });
    expect(await retry(lease, 't4', 'failed')).toEqual({ kind: 'spent' });
  });

  it('T4 a drain in the last attempt hands it over as the last attempt', async () => {
    await sessionWith(store, 's', 'm1');
    await take(store, ref, 't1');
    for (const turnId of ['t2', 't3']) await takeOver(store, turnId);
    const { lease } = await takeOver(store, 't4');
    await store.leases.release(lease, 'force', 'drain');
    const next = await take(other, ref, 't5');
    expect(next.head).toMatchObject({ attempt: 4, isAlone: true });
    expect((await takeOver(store, 't6')).begun.kind).toBe('exhausted');
  });

  it('T5 T6 a message that interrupts ends the wait at once', async () => {
    await sessionWith(store, 's', 'm1');
    const { lease } = await take(store, ref, 't1');
    await retry(lease, 't1', 'failed');
    const message = { messageId: 'm2', content: 'x', mode: 'interrupt' } as const;
    await store.inbox.append(ref, message);
    const { head } = await take(other, ref, 't2');
    expect(head).toMatchObject({ abort: 'interrupt' });
    expect(await inboxIds()).toEqual(['m1', 'm2']);
  });

  it('T6 a waiting head that is aborted twice ends with the first reason', async () => {
    await sessionWith(store, 's', 'm1');
    const { lease } = await take(store, ref, 't1');
    await retry(lease, 't1', 'failed');
    await store.inbox.append(ref, { messageId: 'm2', content: 'x', mode: 'interrupt' });
    expect(await store.inbox.abort(ref, { reason: 'user', messageId: 'm1' })).toMatchObject({
      kind: 'aborted',
    });
    const log = await store.sessions.log(ref, { after: 0, count: 20 });
    expect(log?.events.at(-1)).toMatchObject({
      kind: 'final',
      messageId: 'm1',
      reason: 'interrupt',
    });
  });
});
