import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type Store, streamFields } from '@sluice/store';
import { eventually, startRedis, type TestRedis } from '@sluice/testkit';
import type { Redis } from 'ioredis';
import {
  append,
  attach,
  commitOf,
  expireLease,
  idOf,
  openTestStore,
  RESUME_WINDOW_MS,
  refOf,
  sessionWith,
  take,
  UNUSED_WINDOW_MS,
} from '../support/scripts/scripts-world.js';

describe('how long a session is kept', () => {
  let redis: TestRedis;
  let client: Redis;
  let store: Store;
  const ref = refOf('s');
  const id = idOf(ref);

  beforeAll(async () => {
    redis = await startRedis({ args: ['--appendfsync', 'no'] });
    client = redis.client();
    store = await openTestStore(redis.url);
  });
  beforeEach(async () => {
    await client.flushall();
  });

  const redisMs = async () => {
    const [seconds, microseconds] = await client.time();
    return Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000);
  };
  /** When the session's keys expire, without the lease's own key; -1: never. */
  async function expiries(): Promise<number[]> {
    const { state, inbox, events, messages, seen } = store.keys.session(id);
    const all = [state, inbox, events, messages, seen].map((key) => client.pexpiretime(key));
    return (await Promise.all(all)).filter((at) => at !== -2);
  }
  async function expectKept(when: string) {
    const all = await expiries();
    expect([when, all.length >= 4, ...new Set(all)]).toEqual([when, true, -1]);
  }
  /** Every key expires, all at the same moment: `windowMs` from a call that was made since `since`. */
  async function expectExpiring(when: string, windowMs: number, since: number) {
    const [at = 0, ...others] = new Set(await expiries());
    expect([when, others]).toEqual([when, []]);
    expect(at).toBeGreaterThanOrEqual(since + windowMs);
    expect(at).toBeLessThanOrEqual((await redisMs()) + windowMs);
  }

  it('C4 a session with a message in its inbox has no expiry, whatever happens to it', async () => {
    await sessionWith(store, 's', 'm0');
    await expectKept('appended to an unused session');
    const { lease: first } = await take(store, ref, 't0');
    await store.leases.commit(first, commitOf('t0'));
    await store.leases.release(first, 'yield');
    await append(store, ref, 'm1');
    await append(store, ref, 'm2');
    await expectKept('appended to an idle session');
    const { lease, claim } = await take(store, ref, 't1');
    const batch = [streamFields('token_stream', 'm1', { content: 'x' })];
    const steps: [string, () => Promise<unknown>][] = [
      ['begun', async () => undefined],
      ['streamed', () => store.leases.appendEvents(lease, { turnId: 't1', number: 1, batch })],
      ['renewed', () => store.leases.renew(lease, claim.deadlineMs)],
      ['attached', () => attach(store, ref)],
      ['attached with a cursor', () => attach(store, ref, { since: 1 })],
      ['touched', () => store.sessions.touch(ref)],
      ['marked', () => store.sessions.mark(ref, { detached: 1 })],
      ['read', () => store.sessions.read(ref, { count: 10 })],
      ['aborted', () => store.inbox.abort(ref, { reason: 'user' })],
      ['committed, one waits', () => store.leases.commit(lease, commitOf('t1'))],
      ['another one', () => append(store, ref, 'm3')],
      ['cancelled, one is left', () => store.inbox.cancel(ref, 'm3')],
      ['forced', () => store.leases.release(lease, 'force', 'drain')],
      ['peeked', () => store.leases.peek(id, '')],
      ['rung', () => store.leases.drawRing(id, 0)],
      ['swept', () => store.sweep(store.keys.partitionOf(id))],
      ['taken over', () => take(store, ref, 't2')],
      ['its holder is gone', () => expireLease(client, store, ref)],
    ];
    for (const [when, step] of steps) {
      await step();
      await expectKept(when);
    }
  });

  it('C4 an idle session has no expiry while somebody holds it', async () => {
    await sessionWith(store, 's', 'm1', 'm2', 'm3');
    const { lease, claim } = await take(store, ref, 't1');
    await store.leases.commit(lease, commitOf('t1'));
    await store.inbox.cancel(ref, 'm3');
    const steps: [string, () => Promise<unknown>][] = [
      ['committed', () => store.leases.commit(lease, commitOf('after-t1'))],
      ['renewed', () => store.leases.renew(lease, claim.deadlineMs)],
      ['attached', () => attach(store, ref)],
      ['touched', () => store.sessions.touch(ref)],
      ['its holder may be gone', () => expireLease(client, store, ref)],
      ['attached again', () => attach(store, ref)],
    ];
    for (const [when, step] of steps) {
      await step();
      await expectKept(when);
    }
    // A stopped holder that comes back changes nothing: the sweep has taken its lease away.
    const { held } = store.keys.session(id);
    await client.zadd(held, 'XX', 1, id);
    const since = await redisMs();
    await store.sweep(store.keys.partitionOf(id));
    await expectExpiring('swept', RESUME_WINDOW_MS, since);
    expect((await store.leases.renew(lease, claim.deadlineMs)).reply.kind).toBe('fenced');
    expect(await client.zscore(held, id)).toBeNull();
  });

  it('C4 the sweep keeps looking at a dead lease with work: its holder may come back', async () => {
    await sessionWith(store, 's', 'm1');
    const { lease, claim } = await take(store, ref, 't1');
    await expireLease(client, store, ref);
    const { held } = store.keys.session(id);
    await client.zadd(held, 'XX', 1, id);
    await store.sweep(store.keys.partitionOf(id));
    expect(Number(await client.zscore(held, id))).toBeGreaterThan(await redisMs());
    await store.leases.renew(lease, claim.deadlineMs);
    await store.leases.commit(lease, commitOf('t1'));
    await store.leases.release(lease, 'yield');
    await expectExpiring('released', RESUME_WINDOW_MS, 0);
  });

  it('C4 an idle session expires whole, resume_window after it was last used', async () => {
    await sessionWith(store, 's', 'm1');
    const { lease } = await take(store, ref, 't1');
    await store.leases.commit(lease, commitOf('t1'));
    const steps: [string, () => Promise<unknown>, 'moves' | 'stays'][] = [
      ['released', () => store.leases.release(lease, 'yield'), 'moves'],
      ['marked', () => store.sessions.mark(ref, { detached: 1 }), 'stays'],
      ['read', () => store.sessions.read(ref, { count: 10 }), 'stays'],
      ['aborted in vain', () => store.inbox.abort(ref, { reason: 'user' }), 'stays'],
      ['peeked', () => store.leases.peek(id, '1'), 'stays'],
      ['touched', () => store.sessions.touch(ref), 'moves'],
      ['attached', () => attach(store, ref), 'moves'],
      ['ahead', () => attach(store, ref, { since: 99, epoch: 'x' }), 'moves'],
    ];
    let since = 0;
    for (const [when, step, does] of steps) {
      const now = await redisMs();
      if (does === 'moves') since = now;
      await eventually(async () => (await redisMs()) > now); // so that a later expiry shows
      const before = await expiries();
      await step();
      await expectExpiring(when, RESUME_WINDOW_MS, since);
      if (does === 'stays') expect([when, await expiries()]).toEqual([when, before]);
      else expect([when, await expiries()]).not.toEqual([when, before]);
    }
  });

  it('C4 a session whose last message was cancelled expires like any idle one', async () => {
    const since = await redisMs();
    await sessionWith(store, 's', 'm1');
    await store.inbox.cancel(ref, 'm1');
    await expectExpiring('cancelled', RESUME_WINDOW_MS, since);
    expect((await expiries()).length).toBe(3); // state, events, seen
  });

  it('C4 a session that never got a message expires after five minutes', async () => {
    for (const step of [
      () => attach(store, ref),
      () => attach(store, ref, { since: 0 }),
      () => store.sessions.touch(ref),
    ]) {
      const since = await redisMs();
      await step();
      await expectExpiring('unused', UNUSED_WINDOW_MS, since);
    }
    await store.sessions.mark(ref, { detached: 0 });
    expect(await expiries()).not.toContain(-1);
  });

  it('D9 what is left of an ended session expires within a minute', async () => {
    await sessionWith(store, 's', 'm1', 'm2');
    await take(store, ref, 't1');
    await store.sessions.end(ref, { callId: 'c', reason: 'Ended', reasonCode: 'operator' });
    const all = await expiries();
    expect(all).toHaveLength(2); // state and events, for readers that have not seen the end
    const now = await redisMs();
    for (const at of all) expect(at - now).toBeLessThanOrEqual(60_000);
    for (const at of all) expect(at).toBeGreaterThan(0);
    expect(
      await store.inbox.append(ref, { messageId: 'm3', content: 'x', mode: 'enqueue' }),
    ).toEqual({ kind: 'ended' });
    expect(await expiries()).toEqual(all);
  });

  it('C4 nothing of an expired session is left, not even in the listings', async () => {
    const short = await openTestStore(redis.url, {
      prefix: 'short',
      limits: { resumeWindowMs: 150 },
    });
    await sessionWith(short, 's', 'm1');
    const busy = await sessionWith(short, 'busy', 'm1');
    const { lease } = await take(short, ref, 't1');
    await short.leases.commit(lease, commitOf('t1'));
    await short.leases.release(lease, 'yield');
    const { sessions, owned } = short.keys.session(id);
    expect(await client.zscore(sessions, id)).not.toBeNull();
    expect(await client.zscore(owned, id)).not.toBeNull();

    await eventually(async () => (await client.keys(`short:*:s:${id}:*`)).length === 0);
    expect(await append(short, ref, 'm2')).toEqual({ kind: 'gone' });
    await eventually(async () => {
      for (let p = 0; p < short.keys.partitions; p++) await short.sweep(p);
      return (await client.zscore(sessions, id)) === null;
    });
    expect(await client.zscore(owned, id)).toBeNull();
    // A session that its work keeps stays listed.
    const other = short.keys.session(idOf(busy));
    expect(await client.zscore(other.sessions, idOf(busy))).not.toBeNull();
    expect(await client.zscore(other.owned, idOf(busy))).not.toBeNull();
    expect((await short.sessions.read(busy, { count: 0 }))?.state.pending_inbox).toHaveLength(1);
    // A new session begins under the same id.
    expect(await attach(short, ref)).toMatchObject({ created: true, cursor: 0 });
  });
});
