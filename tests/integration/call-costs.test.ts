import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { SessionRef, Store } from '@sluice/store';
import { startRedis, type TestRedis } from '@sluice/testkit';
import type { Redis } from 'ioredis';
import { idOf, openTestStore, sessionWith } from './scripts-world.js';

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

  /** Bytes that Redis sends while `act` runs, beyond a few for asking. */
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

  it('S3 a cancel reads the inbox only for a message that waits, and no further than to it', async () => {
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
});
