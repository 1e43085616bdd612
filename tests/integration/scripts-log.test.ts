import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  decodePublished,
  type Lease,
  type LoggedEvent,
  type Store,
  streamFields,
} from '@sluice/store';
import { eventually, startRedis, type TestRedis } from '@sluice/testkit';
import type { Redis } from 'ioredis';
import {
  append,
  attach,
  commitOf,
  dump,
  expireLease,
  idOf,
  openTestStore,
  refOf,
  sessionWith,
  take,
} from '../support/scripts/scripts-world.js';

describe('the event log', () => {
  let redis: TestRedis;
  let client: Redis;
  let store: Store;
  const ref = refOf('s');
  const id = idOf(ref);

  beforeAll(async () => {
    redis = await startRedis();
    client = redis.client();
    store = await openTestStore(redis.url);
  });
  beforeEach(async () => {
    await client.flushall();
  });

  const deltas = (...texts: string[]) =>
    texts.map((content) => streamFields('token_stream', 'm1', { content }));
  const attached = async (since?: number, epoch?: string) => {
    const reply = await attach(store, ref, { since, epoch });
    if (reply.kind !== 'attached') throw new Error(reply.kind);
    return reply;
  };
  const whole = async () => {
    const log = await store.sessions.log(ref, { after: 0, count: 1_000 });
    if (!log) throw new Error('no log');
    return log;
  };
  /** One session through everything that logs an event; what it published. */
  async function everything(): Promise<LoggedEvent[]> {
    const published: Buffer[] = [];
    const listener = redis.client();
    listener.on('messageBuffer', (_channel, bytes: Buffer) => published.push(bytes));
    await listener.subscribe(store.keys.channel(id));
    await sessionWith(store, 's', 'm1', 'm2', 'm3', 'm4');
    const { lease: first } = await take(store, ref, 't1');
    await store.leases.appendEvents(first, { turnId: 't1', number: 1, batch: deltas('a', 'b') });
    await expireLease(client, store, ref);
    const { lease } = await take(store, ref, 't2');
    await store.leases.commit(lease, commitOf('t2', { trailing: deltas('c') }));
    await store.inbox.cancel(ref, 'm4');
    await store.leases.release(lease, 'force', 'drain');
    await append(store, ref, 'm5');
    const { lease: second } = await take(store, ref, 't3');
    await store.leases.commit(second, commitOf('t3', { fetch: false }));
    await store.sessions.end(ref, { callId: 'c', reason: 'Ended', reasonCode: 'operator' });
    await listener.ping();
    return published.flatMap((bytes) => decodePublished(bytes) ?? []);
  }

  it('C3 the first event of a session is refused in the words of Redis when it takes no writes', async () => {
    await attached();
    await client.config('SET', 'min-replicas-to-write', '1');
    const refused = append(store, ref, 'm1').finally(() =>
      client.config('SET', 'min-replicas-to-write', '0'),
    );
    await expect(refused).rejects.toThrow(/NOREPLICAS/);
    expect(await append(store, ref, 'm1')).toMatchObject({ kind: 'accepted', event: { seq: 1 } });
  });

  it('E1 seq is dense from 1, whichever script logs, and the channel says the same', async () => {
    const published = await everything();
    const { events, head } = await whole();
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    expect(events).toHaveLength(head);
    expect(published).toEqual(events);
    const kinds = events.map((e) => (e.kind === 'stream' ? e.type : e.kind));
    expect(kinds).toEqual([
      ...['accepted', 'accepted', 'accepted', 'accepted'],
      ...['token_stream', 'token_stream', 'retry_stream', 'token_stream', 'final', 'final'],
      ...['session_end', 'accepted', 'retry_stream', 'final', 'final', 'final', 'session_end'],
    ]);
    expect(await client.hget(store.keys.session(id).state, 'cursor')).toBe(String(head));
  });

  it('E1 seq goes on when old events are trimmed', async () => {
    const small = await openTestStore(redis.url, { limits: { maxEvents: 10, maxInbox: 1_000 } });
    await attach(small, ref);
    for (let n = 1; n <= 300; n++) await append(small, ref, `m${n}`);
    const { events, head } = await whole();
    expect(head).toBe(300);
    expect(events.length).toBeGreaterThanOrEqual(10);
    expect(events.length).toBeLessThan(300);
    const [first] = events;
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => (first?.seq ?? 0) + i));
    expect(await attached(0)).toMatchObject({ resync: true, oldest: first?.seq });
    expect(await attached((first?.seq ?? 0) - 1)).toMatchObject({ resync: false });
  });

  it('E2 another Redis process gets a new epoch, which says how much of the log it shares', async () => {
    await sessionWith(store, 's', 'm1');
    const { epoch } = await whole();
    await append(store, ref, 'm2');
    expect((await whole()).epoch).toBe(epoch);
    await redis.restart();
    await eventually(() => store.isReachable());
    await append(store, ref, 'm3');
    const after = await eventually(whole); // long reads have a connection of their own
    expect(after).toMatchObject({ epochBefore: epoch, epochFrom: 2, head: 3 });
    expect(after.epoch).not.toBe(epoch);
    expect(BigInt(after.epoch)).toBeGreaterThan(BigInt(epoch));
    expect(after.epoch).toMatch(/^\d{16}$/);
    await append(store, ref, 'm4');
    expect((await whole()).epoch).toBe(after.epoch);

    // A cursor of the epoch before is served up to where both are the same log.
    const { epoch: now } = after;
    expect(await attached(2, epoch)).toMatchObject({ resync: false, from: 2, epoch: now });
    expect(await attached(3, epoch)).toMatchObject({ resync: true, epoch: now });
    expect(await attached(3, now)).toMatchObject({ resync: false, from: 3 });
    expect(await attached(0, '1111111111111111')).toMatchObject({ resync: true });
  });

  it.each([
    ['inbox-append', 'accepted', () => append(store, ref, 'm9')],
    ['message-cancel', 'final', () => store.inbox.cancel(ref, 'm3')],
    [
      'session-end',
      'session_end',
      () => store.sessions.end(ref, { callId: 'c', reason: 'Ended', reasonCode: 'operator' }),
    ],
  ])('E2 %s draws the epoch before it logs', async (_script, kind, call) => {
    await sessionWith(store, 's', 'm1', 'm2', 'm3');
    const { epoch, head } = await whole();
    await client.hset(store.keys.session(id).state, 'server', 'the-process-before');
    await call();
    const after = await whole();
    expect(after).toMatchObject({ epochBefore: epoch, epochFrom: head });
    expect(after.epoch).not.toBe(epoch);
    expect(after.events.at(-1)?.kind).toBe(kind);
  });

  const underLease: [string, (lease: Lease) => Promise<unknown>][] = [
    [
      'events-append',
      (lease) =>
        store.leases.appendEvents(lease, { turnId: 't1', number: 1, batch: deltas('a', 'b') }),
    ],
    ['turn-commit', (lease) => store.leases.commit(lease, commitOf('t1'))],
    ['turn-release', (lease) => store.leases.release(lease, 'force', 'drain')],
    [
      'turn-begin',
      async () => {
        await expireLease(client, store, ref);
        return take(store, ref, 't2');
      },
    ],
  ];
  it.each(underLease)('E2 %s draws the epoch before it logs', async (_script, call) => {
    await sessionWith(store, 's', 'm1', 'm2');
    const { lease } = await take(store, ref, 't1');
    const { epoch, head } = await whole();
    await client.hset(store.keys.session(id).state, 'server', 'the-process-before');
    await call(lease);
    const after = await whole();
    expect(after).toMatchObject({ epochBefore: epoch, epochFrom: head });
    expect(after.epoch).not.toBe(epoch);
    expect(after.head).toBeGreaterThan(head);
  });

  it('E2 a cursor ahead of the log under its epoch means that its tail was lost', async () => {
    await sessionWith(store, 's', 'm1', 'm2');
    const { epoch } = await whole();
    expect(await attached(2, epoch)).toMatchObject({ resync: false, epoch });
    const ahead = await attached(7, epoch);
    expect(ahead).toMatchObject({ resync: true, cursor: 2 });
    expect(ahead.epoch).not.toBe(epoch);
    expect(await whole()).toMatchObject({ epoch: ahead.epoch, epochBefore: epoch, epochFrom: 2 });
    // Without an epoch it may be the cursor of anything: nothing is concluded from it.
    expect(await attached(7)).toMatchObject({ resync: true, epoch: ahead.epoch });
    // Readers of events before the cut go on.
    expect(await attached(1, epoch)).toMatchObject({ resync: false, from: 1 });
  });

  it('E2 a session made anew under the same id has another epoch', async () => {
    await sessionWith(store, 's', 'm1');
    const { epoch } = await whole();
    await store.sessions.end(ref, { callId: 'c', reason: 'Ended', reasonCode: 'client_end' });
    const anew = await attached(1, epoch);
    expect(anew).toMatchObject({ created: true, cursor: 0, resync: true });
    expect(anew.epoch).not.toBe(epoch);
  });

  it.each([
    ['nobody has spoken', []],
    ['messages wait', ['m1', 'm2']],
  ])('E7 reading changes nothing while %s', async (_when, messages) => {
    await sessionWith(store, 's', ...messages);
    const before = await dump(client, 'sluice');
    await store.sessions.read(ref, { count: 10 });
    await whole();
    await store.leases.history(id, 1_000_000);
    await attach(store, refOf('nowhere'), { create: false });
    await attach(store, ref, { agent: 'another' });
    expect(await store.sessions.read(refOf('nowhere'), { count: 10 })).toBeUndefined();
    expect(await dump(client, 'sluice')).toEqual(before);
  });

  it('E7 reading changes nothing while a turn runs, nor when the session idles', async () => {
    await sessionWith(store, 's', 'm1');
    const { lease } = await take(store, ref, 't1');
    const running = await dump(client, 'sluice');
    const read = await store.sessions.read(ref, { count: 10 });
    await whole();
    expect(read?.state).toMatchObject({ is_executing: true, holder: 'n1', attempt: 1 });
    expect(await dump(client, 'sluice')).toEqual(running);
    await store.leases.commit(lease, commitOf('t1'));
    const idle = await dump(client, 'sluice');
    await store.sessions.read(ref, { count: 10 });
    await whole();
    expect(await dump(client, 'sluice')).toEqual(idle);
  });

  it('E1 a right to publish that is taken away stops no script halfway', async () => {
    await attached();
    await client.acl('SETUSER', 'default', 'resetchannels');
    try {
      expect(await append(store, ref, 'm1')).toMatchObject({ kind: 'accepted' });
      const { lease } = await take(store, ref, 't1');
      expect(await store.leases.commit(lease, commitOf('t1'))).toEqual({ kind: 'idle' });
      expect(await append(store, ref, 'm2')).toMatchObject({ kind: 'accepted' }); // its holder is not told
    } finally {
      await client.acl('SETUSER', 'default', 'allchannels');
    }
    const { head, events } = await whole();
    expect(events.map(({ seq, kind }) => [seq, kind])).toEqual([
      [1, 'accepted'],
      [2, 'final'],
      [3, 'accepted'],
    ]);
    expect(head).toBe(3);
  });
});
