import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Store } from '@sluice/store';
import { startRedis } from '@sluice/testkit';
import type { Redis } from 'ioredis';
import { openTestStore } from '../support/scripts/scripts-world.js';

const agent = { kind: 'agent', name: 'slow' } as const;

describe('a permit', () => {
  let client: Redis;
  let store: Store;
  beforeAll(async () => {
    const redis = await startRedis();
    client = redis.client();
    store = await openTestStore(redis.url);
  });
  beforeEach(async () => {
    await client.flushall();
  });

  const expiries = async () => {
    const flat = await client.zrange(store.keys.permits(agent).permits, '0', '-1', 'WITHSCORES');
    return new Map(flat.flatMap((name, at) => (at % 2 ? [] : [[name, Number(flat[at + 1])]])));
  };

  it('B1 that was given up is not brought back by a late keep', async () => {
    for (const id of ['a', 'b']) await store.permits.take(agent, id, 2);
    const before = await expiries();
    await store.permits.give(agent, 'a');
    await store.permits.keep(agent, ['a', 'b']);
    const [kept = ['', 0], ...others] = await expiries();
    expect(others).toEqual([]);
    expect(kept[0]).toMatch(/ b \d+$/);
    expect(kept[1]).toBeGreaterThanOrEqual(before.get(kept[0]) ?? Number.POSITIVE_INFINITY);
    // The other one is free for one session, and no more.
    expect(await store.permits.take(agent, 'c', 2)).toMatchObject({ kind: 'taken' });
    await store.permits.keep(agent, ['a', 'b']);
    expect(await store.permits.take(agent, 'd', 2)).toMatchObject({ kind: 'full' });
    await store.permits.give(agent, 'b');
    expect(await store.permits.take(agent, 'd', 2)).toMatchObject({ kind: 'taken' });
  });
});
