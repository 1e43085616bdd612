import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Store } from '@sluice/store';
import { startRedis } from '@sluice/testkit';
import type { Redis } from 'ioredis';
import {
  append,
  attach,
  commitOf,
  idOf,
  limits,
  openTestStore,
  refOf,
  sessionWith,
  take,
} from '../support/scripts/scripts-world.js';

const { maxSeen } = limits;

describe('the ids that were accepted', () => {
  let client: Redis;
  let store: Store;
  let tiny: Store;
  const ref = refOf('s');
  const seen = () => store.keys.session(idOf(ref)).seen;

  beforeAll(async () => {
    const redis = await startRedis({ args: ['--appendfsync', 'no'] });
    client = redis.client();
    store = await openTestStore(redis.url);
    tiny = await openTestStore(redis.url, { limits: { maxSeen: 2 } });
  });
  beforeEach(async () => {
    await client.flushall();
  });

  it('S3 are kept for max_seen messages, the latest ones', async () => {
    await sessionWith(store, 's', 'm1');
    let turnId = 't1';
    const { lease } = await take(store, ref, turnId);
    const total = maxSeen + 20;
    for (let n = 2; n <= total; n++) {
      await append(store, ref, `m${n}`);
      await store.leases.commit(lease, commitOf(turnId));
      turnId = `after-${turnId}`;
      expect(await client.zcard(seen())).toBeLessThanOrEqual(maxSeen + 1);
    }
    await store.leases.commit(lease, commitOf(turnId));
    expect(await client.zcard(seen())).toBe(maxSeen);
    const before = await client.zrangebyscore(seen(), '-inf', '+inf');
    expect([...before].sort()).toEqual(
      Array.from({ length: maxSeen }, (_, n) => `m${total - n}`).sort(),
    );
    for (const [messageId, kind] of [
      [`m${total}`, 'duplicate'],
      [`m${total - maxSeen + 1}`, 'duplicate'],
      [`m${total - maxSeen}`, 'accepted'],
    ] as const) {
      expect([messageId, (await append(store, ref, messageId)).kind]).toEqual([messageId, kind]);
    }
  });

  it('S3 never leave while they wait, however many outcomes there are', async () => {
    await sessionWith(tiny, 's', 'm1', 'm2', 'm3', 'm4', 'm5', 'm6');
    const { lease } = await take(tiny, ref, 't1');
    await tiny.leases.commit(lease, commitOf('t1'));
    for (let n = 0; n < 5; n++) {
      await append(tiny, ref, `c${n}`);
      await tiny.inbox.cancel(ref, `c${n}`);
    }
    expect((await client.zrangebyscore(seen(), '-inf', '+inf')).sort()).toEqual([
      'm2',
      'm3',
      'm4',
      'm5',
      'm6',
    ]);
    for (const messageId of ['m2', 'm3', 'm4', 'm5', 'm6']) {
      expect(await append(tiny, ref, messageId)).toMatchObject({
        kind: 'duplicate',
        outcome: 'waiting',
      });
    }
    expect(await client.llen(tiny.keys.session(idOf(ref)).inbox)).toBe(5);
  });

  it('S3 do not pile up during a long turn while waiting messages are cancelled', async () => {
    await sessionWith(store, 's', 'm1');
    await take(store, ref, 't1');
    for (let n = 0; n < 2 * maxSeen; n++) {
      await append(store, ref, `c${n}`);
      await store.inbox.cancel(ref, `c${n}`);
    }
    expect(await client.zcard(seen())).toBe(maxSeen);
    expect(await client.zscore(seen(), 'm1')).not.toBeNull();
    expect((await append(store, ref, `c${2 * maxSeen - 1}`)).kind).toBe('duplicate');
  });

  it('S3 belong to one session: a new one under the same id knows none of them', async () => {
    await sessionWith(store, 's', 'm1');
    expect((await append(store, ref, 'm1')).kind).toBe('duplicate');
    await store.sessions.end(ref, { callId: 'c', reason: 'Ended', reasonCode: 'client_end' });
    await attach(store, ref);
    expect((await append(store, ref, 'm1')).kind).toBe('accepted');
  });
});
