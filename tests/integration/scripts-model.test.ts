import { beforeAll, describe, expect, it } from '@jest/globals';
import type { Store } from '@sluice/store';
import { startRedis } from '@sluice/testkit';
import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { ModelSession, type Step } from './scripts-model.js';
import {
  append,
  attach,
  commitOf,
  idOf,
  openTestStore,
  sessionWith,
  take,
} from './scripts-world.js';

const node = fc.nat(1);
const which = fc.nat(50);
const only = <K extends Step['kind']>(...kinds: K[]) =>
  fc.record({ kind: fc.constantFrom(...kinds) });
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      mode: fc.constantFrom('enqueue', 'enqueue', 'collect', 'interrupt', 'reject'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('again', 'cancel'), which }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('ring' as const), node }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('retry', 'stream'), node }) },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('commit' as const), node, fetch: fc.boolean() }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('release' as const),
      node,
      how: fc.constantFrom('idle', 'yield', 'force'),
    }),
  },
  { weight: 3, arbitrary: only('crash', 'sweep', 'peek', 'draw', 'touch', 'attach', 'abort') },
  { weight: 1, arbitrary: only('end', 'attach') },
);

describe('one session under any sequence of calls', () => {
  let client: Redis;
  let nodes: [Store, Store];

  beforeAll(async () => {
    const redis = await startRedis({ args: ['--appendfsync', 'no'] });
    client = redis.client();
    const limits = { maxInbox: 5, maxSeen: 1_000 };
    nodes = [
      await openTestStore(redis.url, { nodeId: 'n1', limits }),
      await openTestStore(redis.url, { nodeId: 'n2', limits }),
    ];
  });

  it('T7 work is always found by the sweep, and S2, S3, E1, C4 hold after each call', async () => {
    let session = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { minLength: 10, maxLength: 40 }), async (sequence) => {
        const model = new ModelSession(client, nodes, `s${++session}`);
        await model.run({ kind: 'attach' });
        for (const step of sequence) {
          await model.run(step);
          await model.check();
        }
        // Whoever comes last finds all that is left, and drains it.
        await model.run({ kind: 'crash' });
        await model.run({ kind: 'ring', node: 0 });
        for (let n = 0; n < 10; n++) await model.run({ kind: 'commit', node: 0, fetch: true });
        await model.check();
        expect(await client.llen(nodes[0].keys.session(model.id).inbox)).toBe(0);
      }),
      { seed: 20_260_731, numRuns: 60 },
    );
  }, 60_000);

  /** The sweep of the session's partition: the rings that it draws for it. */
  async function sweepNow(id: string) {
    const [store] = nodes;
    const partition = store.keys.partitionOf(id);
    await client.del(store.keys.partition(partition).swept);
    await client.zadd(store.keys.session(id).pending, 'XX', 1, id);
    return (await store.sweep(partition)).rings.filter((ring) => ring.id === id);
  }

  it('T7 a ring that was lost is drawn again by the sweep, with a pause that grows', async () => {
    const [store] = nodes;
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
    // Its next turn starts anew; while it runs there is nothing to ring for.
    await take(store, ref, 't1');
    expect(await sweepNow(id)).toEqual([]);
  });

  it('T7 a message for a lingering holder that is deaf is rung for at once', async () => {
    const [store] = nodes;
    const ref = await sessionWith(store, 'deaf', 'm1');
    const { lease } = await take(store, ref, 't1');
    await store.leases.commit(lease, commitOf('t1'));
    await append(store, ref, 'm2');
    const { state, pending } = store.keys.session(lease.id);
    expect(await client.hmget(state, 'holder', 'token', 'ring_mark')).toEqual([null, null, '2']);
    expect(await client.zscore(pending, lease.id)).not.toBeNull();
    expect((await take(store, ref, 't2')).head.attempt).toBe(1);
  });

  it('T7 a lingering holder that hears is woken, and found should it die of it', async () => {
    const [store] = nodes;
    const ref = await sessionWith(store, 'hearing', 'm1');
    const { lease } = await take(store, ref, 't1');
    await store.leases.commit(lease, commitOf('t1'));
    const heard: string[] = [];
    const partition = store.keys.partitionOf(lease.id);
    await store.channels.subscribe([`${store.keys.nodeChannelPrefix(partition)}n1`], (text) =>
      heard.push(text),
    );
    await append(store, ref, 'm2');
    const { state, pending } = store.keys.session(lease.id);
    const [holder, mark, until] = await client.hmget(state, 'holder', 'ring_mark', 'lease_until');
    expect([holder, mark]).toEqual(['n1', null]);
    expect(await client.zscore(pending, lease.id)).toBe(until);
    // Giving up with work left draws the ring that the holder then has to add.
    expect(await store.leases.release(lease, 'idle')).toEqual({ kind: 'more' });
    expect(await store.leases.release(lease, 'yield')).toMatchObject({ kind: 'handed', ring: '2' });
    await attach(store, ref); // its answer comes behind what was published before
    expect(heard).toEqual([`wake ${lease.id}`]);
  });

  it('L6 the sweep lets a live holder be, and rings once its lease is over', async () => {
    const [store] = nodes;
    const ref = await sessionWith(store, 'held', 'm1');
    const { lease } = await take(store, ref, 't1');
    const { state, pending } = store.keys.session(lease.id);
    expect(await sweepNow(lease.id)).toEqual([]);
    expect(await client.zscore(pending, lease.id)).toBe(await client.hget(state, 'lease_until'));
    await client.hset(state, 'lease_until', 1);
    expect(await sweepNow(lease.id)).toEqual([{ id: lease.id, ring: '2' }]);
  });
});
