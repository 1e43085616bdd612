import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { decodeWake, type Lease, type Store, type Wake } from '@sluice/store';
import { eventually, startRedis, type TestRedis } from '@sluice/testkit';
import type { Redis } from 'ioredis';
import {
  append,
  commitOf,
  expireLease,
  openTestStore,
  refOf,
  sessionWith,
  take,
} from '../support/scripts/scripts-world.js';

describe('a message for a holder that lingers', () => {
  const ref = refOf('s');
  let redis: TestRedis;
  let client: Redis;
  let store: Store;
  let lease: Lease;
  let heard: (Wake | undefined)[];
  beforeAll(async () => {
    redis = await startRedis();
    client = redis.client();
    store = await openTestStore(redis.url);
  });
  beforeEach(async () => {
    await client.flushall();
    await sessionWith(store, 's', 'm1');
    ({ lease } = await take(store, ref, 't1'));
    await store.leases.commit(lease, commitOf('t1'));
    heard = [];
    const channel = `${store.keys.nodeChannelPrefix(store.keys.partitionOf(lease.id))}n1`;
    await store.channels.subscribe([channel], (bytes) => heard.push(decodeWake(bytes.toString())));
  });
  const stateOf = (...fields: string[]) =>
    client.hmget(store.keys.session(lease.id).state, ...fields);
  const begun = async () => {
    await eventually(() => heard.length > 0);
    const wake = heard.at(-1);
    if (wake?.kind !== 'begun') throw new Error(`heard ${JSON.stringify(wake)}`);
    return wake;
  };

  it('T1 T3 begins the turn in its name, and the wake carries what it needs', async () => {
    await append(store, ref, 'm2');
    const wake = await begun();
    expect(wake).toMatchObject({ id: lease.id, follows: 't1' });
    expect(wake.entry).toBe(await client.lindex(store.keys.session(lease.id).inbox, 0));
    const fields = await stateOf('batch', 'turn_id', 'attempt', 'first_at', 'holder');
    expect(fields).toEqual(['1', wake.turnId, '1', String(wake.firstAtMs), 'n1']);
    expect(await store.leases.commit(lease, commitOf(wake.turnId))).toEqual({ kind: 'idle' });
  });

  it('T1 queues behind the turn that a message began', async () => {
    await append(store, ref, 'm2');
    const { turnId } = await begun();
    await append(store, ref, 'm3');
    expect(heard).toHaveLength(1);
    const next = await store.leases.commit(lease, commitOf(turnId));
    expect(next).toMatchObject({ kind: 'next', head: { turnId: `after-${turnId}`, attempt: 1 } });
  });

  it('T7 is found by the next renewal when its wake was lost, under the same turn id and attempt', async () => {
    await append(store, ref, 'm2');
    const { turnId } = await begun();
    const { reply } = await store.leases.renew(lease, 0);
    expect(reply).toMatchObject({ kind: 'renewed', waits: true });
    const found = await store.leases.begin(lease, { turnId: 'of-the-holder' });
    expect(found).toMatchObject({ kind: 'begun', head: { turnId, attempt: 1 } });
  });

  it('T2 is in the answer to a commit that is sent again', async () => {
    await append(store, ref, 'm2');
    const { turnId } = await begun();
    const again = await store.leases.commit(lease, commitOf('t1'));
    expect(again).toMatchObject({ kind: 'next', head: { turnId, attempt: 1 } });
  });

  it('T3 counts as not begun when its holder has no room: no attempt, no retry for clients', async () => {
    await append(store, ref, 'm2');
    await begun();
    expect(await store.leases.release(lease, 'yield')).toMatchObject({ kind: 'handed' });
    const { head } = await take(store, ref, 't2');
    expect(head).toMatchObject({ attempt: 1, turnId: 't2', abort: '' });
    const log = await store.sessions.log(ref, { after: 0, count: 20 });
    expect(log?.events.map(({ kind }) => kind)).toEqual(['accepted', 'final', 'accepted']);
  });

  it('T6 is aborted by the next holder when its own gives it back after the abort', async () => {
    await append(store, ref, 'm2');
    await begun();
    expect(await store.inbox.abort(ref, { reason: 'user' })).toMatchObject({ kind: 'aborting' });
    await store.leases.release(lease, 'yield');
    expect((await take(store, ref, 't2')).head).toMatchObject({ attempt: 1, abort: 'user' });
  });

  it('C1 counts as an attempt that was cut when its holder dies with it', async () => {
    await append(store, ref, 'm2');
    await begun();
    await expireLease(client, store, ref);
    expect((await take(store, ref, 't2')).head).toMatchObject({ attempt: 2, turnId: 't2' });
  });

  it('P1 begins nothing while its session is paused: the holder asks, and is refused', async () => {
    await store.pauses.session(ref, true);
    await append(store, ref, 'm2');
    await eventually(() => heard.length > 0);
    expect(heard).toEqual([{ kind: 'plain', id: lease.id }]);
    expect(await store.leases.begin(lease, { turnId: 't2' })).toMatchObject({ why: 'paused' });
  });
});
