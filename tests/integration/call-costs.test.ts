import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { SessionRef, Store } from '@sluice/store';
import { startRedis, type TestRedis } from '@sluice/testkit';
import type { Redis } from 'ioredis';
import { idOf, openTestStore, sessionWith } from '../support/scripts/scripts-world.js';

const MiB = 2 ** 20;
const LINES = 16;
/** More than any call below may bring over a connection of a node. */
const SMALL = 64 * 1024;

describe('what a call may cost', () => {
  let redis: TestRedis;
  let store: Store;
  let client: Redis;
  let ref: SessionRef;
  beforeAll(async () => {
    redis = await startRedis({ args: ['--appendfsync', 'no'] });
    client = redis.client();
    store = await openTestStore(redis.url, { limits: { maxInboxBytes: 64 * MiB } });
  });

  /** A session whose log is trimmed, with `LINES` MiB of history and as much of inbox behind `m1`. */
  beforeEach(async () => {
    await client.flushall();
    await client.config('RESETSTAT');
    ref = await sessionWith(store, 'large', 'm0', 'm1');
    const keys = store.keys.session(idOf(ref));
    const content = 'x'.repeat(MiB);
    for (let i = 0; i < LINES; i += 1) {
      await client.rpush(keys.messages, `u h${i} 1 3 enqueue {"c":"question"}`);
      const reply = JSON.stringify({ content, reason: '', attempt: 1 });
      await client.rpush(keys.messages, `a h${i} 2 turn-${i} ok ${reply}`);
      await client.rpush(keys.inbox, `w${i} 1 ${i} enqueue {"c":"${content}"}`);
      await client.zadd(keys.seen, i + 1, `h${i}`);
    }
    await client.xtrim(keys.events, 'MAXLEN', 0);
  }, 20_000);

  /** Bytes that Redis sends while `act` runs. */
  async function bytesOf(act: () => Promise<unknown>): Promise<number> {
    const sent = async () =>
      Number(/total_net_output_bytes:(\d+)/.exec(await client.info('stats'))?.[1]);
    const before = await sent();
    await act();
    return (await sent()) - before;
  }

  const repeat = (messageId: string) =>
    store.inbox.append(ref, { messageId, content: 'again', mode: 'enqueue' });

  it('S3 a repeat of a waiting message whose event was trimmed reads no inbox and no history', async () => {
    expect(await bytesOf(() => repeat('m1'))).toBeLessThan(SMALL);
    expect(await repeat('m1')).toMatchObject({
      kind: 'duplicate',
      position: 1,
      outcome: 'waiting',
    });
  });

  it('S3 a repeat of an outcome that was trimmed brings that reply and no other', async () => {
    const newest = `h${LINES - 1}`;
    expect(await bytesOf(() => repeat(newest))).toBeLessThan(MiB + SMALL);
    const kept = await repeat(newest);
    expect(kept).toMatchObject({ kind: 'duplicate', position: 3, outcome: { messageId: newest } });
    expect(await bytesOf(() => repeat('h0'))).toBeLessThan(SMALL);
    expect(await repeat('h0')).toMatchObject({ kind: 'duplicate', outcome: 'not_kept' });
  });

  it('S3 a cancel reads the inbox only for a message that waits, and only up to that message', async () => {
    const lines = async () => {
      const stats = await client.info('commandstats');
      return Number(/cmdstat_lrange:calls=(\d+)/.exec(stats)?.[1] ?? 0);
    };
    for (const id of ['unknown', 'h0']) {
      expect(await store.inbox.cancel(ref, id)).toBe('not_pending');
    }
    expect(await lines()).toBe(0);
    await client.zadd(store.keys.session(idOf(ref)).seen, 2 ** 52 + 99, `w${LINES - 1}`);
    expect(await store.inbox.cancel(ref, `w${LINES - 1}`)).toBe('cancelled');
    expect(await lines()).toBe(1);
  });

  it('B1 a snapshot and a page of the history stay within their bytes, inbox and history together', async () => {
    const read = (maxBytes: number) => store.sessions.read(ref, { count: 1_000, maxBytes });
    expect(await bytesOf(() => read(MiB))).toBeLessThan(2.5 * MiB);
    expect(await read(MiB)).toMatchObject({ state: { truncated: true } });
  });

  it('B1 a lease reads no more history than its agent takes, from the end', async () => {
    const { messages } = store.keys.session(idOf(ref));
    for (let i = 0; i < 100; i += 1) await client.rpush(messages, `u s${i} 1 0 enqueue {"c":"x"}`);
    const id = idOf(ref);
    expect(await bytesOf(() => store.leases.history(id, 1_000))).toBeLessThan(4_000);
    const lines = await store.leases.history(id, 1_000);
    expect(lines.at(-1)).toMatch(/^u s99 /);
    expect(lines.length).toBeGreaterThan(20);
    expect(lines.length).toBeLessThan(60);
  });

  it('B1 a page of the log ends at 1 MiB, and the next one goes on after it', async () => {
    const { events, state } = store.keys.session(idOf(ref));
    const delta = JSON.stringify({ content: 'x'.repeat(200_000) });
    for (let seq = 3; seq <= 22; seq += 1) {
      await client.xadd(events, `${seq}-0`, 'ts', 1, 'b', 0, 't', 'd', 'm', 'm0', 'd', delta);
    }
    await client.hset(state, 'cursor', 22);
    const page = (after: number) => store.sessions.log(ref, { after, count: 256 });
    expect(await bytesOf(() => page(2))).toBeLessThan(MiB + SMALL);
    const first = await page(2);
    const last = first?.events.at(-1)?.seq ?? 0;
    expect(last).toBeLessThan(22);
    expect((await page(last))?.events[0]?.seq).toBe(last + 1);
  });

  it('B1 a listing by a rare state costs at most one call for each partition and 200 sessions', async () => {
    const { sessions, owned } = store.keys.session(idOf(ref));
    for (let i = 0; i < 600; i += 1) {
      const id = `${idOf(ref).slice(0, 13)}idle-${i}`;
      const state = store.keys.session(id).state;
      await client.hset(state, { session_id: `idle-${i}`, agent: 'echo', principal: 'alice' });
      const keys = store.keys.session(id);
      await client.zadd(keys.sessions, i + 1, id);
      await client.zadd(keys.owned, i + 1, id);
    }
    await client.zrem(sessions, idOf(ref));
    await client.zrem(owned, idOf(ref));
    await client.config('RESETSTAT');
    const page = await store.sessionList.list({
      principal: 'alice',
      state: 'executing',
      count: 20,
    });
    expect(page).toMatchObject({ sessions: [], next: expect.anything() });
    const stats = await client.info('commandstats');
    const callsOf = (name: string) =>
      Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
    expect(callsOf('evalsha_ro')).toBeLessThanOrEqual(200);
    expect(callsOf('zrevrangebyscore')).toBeLessThanOrEqual(4);
  });
});
