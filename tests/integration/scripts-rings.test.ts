import { beforeAll, describe, expect, it } from '@jest/globals';
import type { Store } from '@sluice/store';
import { eventually, startRedis, type TestRedis } from '@sluice/testkit';
import type { Redis } from 'ioredis';
import {
  append,
  attach,
  commitOf,
  expireLease,
  idOf,
  openTestStore,
  sessionWith,
  take,
} from '../support/scripts/scripts-world.js';

describe('how work is announced', () => {
  let redis: TestRedis;
  let client: Redis;
  let store: Store;

  beforeAll(async () => {
    redis = await startRedis({ args: ['--appendfsync', 'no'] });
    client = redis.client();
    store = await openTestStore(redis.url);
  });

  /** The sweep of the session's partition: the rings that it draws for it. */
  async function sweepNow(id: string) {
    const partition = store.keys.partitionOf(id);
    await client.del(store.keys.partition(partition).swept);
    await client.zadd(store.keys.session(id).pending, 'XX', 1, id);
    return (await store.sweep(partition)).rings.filter((ring) => ring.id === id);
  }

  it('T7 a ring that was lost is drawn again by the sweep, with a pause that grows', async () => {
    const ref = await sessionWith(store, 'lost', 'm1');
    const id = idOf(ref);
    const { pending } = store.keys.session(id);
    const pauses: number[] = [];
    const numbers: number[] = [];
    for (let n = 0; n < 8; n++) {
      const [ring] = await sweepNow(id);
      numbers.push(Number(ring?.ring));
      const [seconds] = await client.time();
      pauses.push(
        Math.round((Number(await client.zscore(pending, id)) / 1_000 - Number(seconds)) / 2),
      );
    }
    expect(numbers).toEqual([2, 3, 4, 5, 6, 7, 8, 9]);
    expect(pauses).toEqual([1, 2, 4, 8, 16, 30, 30, 30]); // in units of 2 s, up to 60 s
    // Its next turn starts the pauses anew; while it runs there is nothing to ring for.
    await take(store, ref, 't1');
    expect(await sweepNow(id)).toEqual([]);
  });

  it('T7 a message for a lingering holder that does not hear is rung for at once', async () => {
    const ref = await sessionWith(store, 'deaf', 'm1');
    const { lease } = await take(store, ref, 't1');
    await store.leases.commit(lease, commitOf('t1'));
    await append(store, ref, 'm2');
    const { state, pending } = store.keys.session(lease.id);
    expect(await client.hmget(state, 'holder', 'token', 'ring_mark')).toEqual([null, null, '2']);
    expect(await client.zscore(pending, lease.id)).not.toBeNull();
    expect((await take(store, ref, 't2')).head.attempt).toBe(1);
  });

  it('T7 a lingering holder that hears is woken, and its session is found if it dies then', async () => {
    const ref = await sessionWith(store, 'hearing', 'm1');
    const { lease } = await take(store, ref, 't1');
    await store.leases.commit(lease, commitOf('t1'));
    const heard: string[] = [];
    const partition = store.keys.partitionOf(lease.id);
    await store.channels.subscribe([`${store.keys.nodeChannelPrefix(partition)}n1`], (bytes) =>
      heard.push(bytes.toString()),
    );
    await append(store, ref, 'm2');
    const { state, pending } = store.keys.session(lease.id);
    const [holder, mark, until] = await client.hmget(state, 'holder', 'ring_mark', 'lease_until');
    expect([holder, mark]).toEqual(['n1', null]);
    expect(await client.zscore(pending, lease.id)).toBe(until);
    // Giving up with work left draws the ring that the holder then has to add.
    expect(await store.leases.release(lease, 'yield')).toMatchObject({ kind: 'handed', ring: '2' });
    await attach(store, ref); // its answer comes after what was published before
    const [wake, entry] = (heard[0] ?? '').split('\n');
    expect(wake).toMatch(new RegExp(`^begun ${lease.id} t1 turn_\\S+ \\d+$`));
    expect(entry).toMatch(/^m2 \d+ 0 enqueue\.3 /);
    expect(heard).toHaveLength(1);
  });

  it('T7 a session stays listed until the sweep looks, and the next message under the lease does not list it again', async () => {
    const ref = await sessionWith(store, 'listed', 'm1');
    const { lease } = await take(store, ref, 't1');
    const { pending } = store.keys.session(lease.id);
    const partition = store.keys.partitionOf(lease.id);
    await store.channels.subscribe(
      [`${store.keys.nodeChannelPrefix(partition)}n1`],
      () => undefined,
    );
    const due = await client.zscore(pending, lease.id);
    await store.leases.commit(lease, commitOf('t1'));
    expect(await client.zscore(pending, lease.id)).toBe(due);
    const calls = async () =>
      /cmdstat_zadd:calls=(\d+)/.exec(await client.info('commandstats'))?.[1];
    const before = Number(await calls());
    await append(store, ref, 'm2');
    expect(Number(await calls()) - before).toBe(1); // its id, among those that were accepted
    expect(await client.zscore(pending, lease.id)).toBe(due);
  });

  it('T7 a session that lost its listing when the clock was set back is listed again when its lease is over', async () => {
    const ref = await sessionWith(store, 'unlisted', 'm1');
    const { lease } = await take(store, ref, 't1');
    const { pending, held } = store.keys.session(lease.id);
    await client.zrem(pending, lease.id);
    await expireLease(client, store, ref);
    await client.zadd(held, 'XX', 1, lease.id);
    expect(await sweepNow(lease.id)).toEqual([]);
    expect(await client.zscore(pending, lease.id)).not.toBeNull();
    expect(await sweepNow(lease.id)).toHaveLength(1);
    // Also when its holder was taken away meanwhile, as an abort does.
    await client.hdel(store.keys.session(lease.id).state, 'token', 'holder');
    await client.zrem(pending, lease.id);
    await client.zadd(held, 'XX', 1, lease.id);
    await sweepNow(lease.id);
    expect(await client.zscore(pending, lease.id)).not.toBeNull();
    expect(await client.zscore(held, lease.id)).toBeNull();
  });

  it('T7 a session with work does not wait for those that are only removed from the list', async () => {
    const ref = await sessionWith(store, 'behind', 'm1');
    const id = idOf(ref);
    const { pending } = store.keys.session(id);
    const idle = Array.from({ length: 350 }, (_, at) => `${id.slice(0, 13)}idle-${at}`);
    await client.zadd(pending, ...idle.flatMap((it) => ['0', it]));
    expect(await sweepNow(id)).toHaveLength(1);
    expect(await client.zcard(pending)).toBeLessThan(idle.length);
  });

  it('L6 the sweep leaves a live holder alone, and rings once its lease is over', async () => {
    const ref = await sessionWith(store, 'held', 'm1');
    const { lease } = await take(store, ref, 't1');
    const { state, pending } = store.keys.session(lease.id);
    expect(await sweepNow(lease.id)).toEqual([]);
    expect(await client.zscore(pending, lease.id)).toBe(await client.hget(state, 'lease_until'));
    await client.hset(state, 'lease_until', 1);
    expect(await sweepNow(lease.id)).toEqual([{ id: lease.id, ring: '2' }]);
  });

  it('T7 the sweep tells when the next session is due, and writes only where it found something', async () => {
    const quiet = await openTestStore(redis.url, { prefix: 'quiet' });
    const ref = await sessionWith(quiet, 'due', 'm1');
    const { pending } = quiet.keys.session(idOf(ref));
    const partition = quiet.keys.partitionOf(idOf(ref));
    const { swept } = quiet.keys.partition(partition);
    expect((await quiet.sweep((partition + 1) % quiet.keys.partitions)).nextDueMs).toBe(Infinity);
    const rung = await quiet.sweep(partition); // a ring has 2 s to be answered
    expect(rung).toMatchObject({ rings: [], nextDueMs: expect.any(Number) });
    expect(rung.nextDueMs).toBeLessThanOrEqual(2_000);
    const { lease } = await take(quiet, ref, 't1');
    const until = Number(await client.hget(quiet.keys.session(lease.id).state, 'lease_until'));
    const held = await quiet.sweep(partition);
    expect(Math.abs(until - Date.now() - held.nextDueMs)).toBeLessThan(1_000);
    expect(await client.exists(swept)).toBe(0);

    await quiet.leases.release(lease, 'yield');
    await client.zadd(pending, 1, lease.id);
    const found = await quiet.sweep(partition);
    expect(found.rings).toHaveLength(1);
    expect(found.nextDueMs).toBeGreaterThan(1_000);
    expect(await client.exists(swept)).toBe(1);
  });

  it('P3 a paused session counts as waiting, but not as late', async () => {
    const ref = await sessionWith(store, 'late', 'm1', 'm2');
    const partition = store.keys.partitionOf(idOf(ref));
    const isLate = async () => {
      const { messages, oldestMs } = await store.measure(partition);
      expect(messages).toBeGreaterThanOrEqual(2);
      return oldestMs > 0;
    };
    await eventually(isLate);
    await store.pauses.session(ref, true);
    expect(await isLate()).toBe(false);
    await store.pauses.session(ref, false);
    await eventually(isLate);
    await store.pauses.agent('echo', true);
    expect(await isLate()).toBe(false);
    await store.pauses.agent('echo', false);
    await eventually(isLate);
  });
});
