import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  decodeHistory,
  decodeInput,
  type HistoryPlace,
  type Lease,
  type Store,
} from '@sluice/store';
import { startRedis } from '@sluice/testkit';
import type { Redis } from 'ioredis';
import { writeOldSession } from '../support/scripts/old-session.js';
import {
  append,
  attach,
  commitOf,
  idOf,
  openTestStore,
  refOf,
  sessionWith,
  take,
  type WorldOptions,
} from '../support/scripts/scripts-world.js';

const ref = refOf('s');
const id = idOf(ref);

describe('the texts of a session', () => {
  let client: Redis;
  let store: Store;
  let url: string;
  beforeAll(async () => {
    const redis = await startRedis({ args: ['--appendfsync', 'no'] });
    url = redis.url;
    client = redis.client();
    store = await openTestStore(url);
  });
  beforeEach(async () => {
    await client.flushall();
  });

  const raw = () => client.lrange(store.keys.session(id).messages, 0, -1);
  const texts = async (maxBytes = 1_000_000) =>
    (await store.leases.history(id, maxBytes)).map((line) => decodeHistory(line).content);
  const log = async () => (await store.sessions.log(ref, { after: 0, count: 1_000 }))?.events ?? [];
  const said = (name: string, content: string) =>
    store.inbox.append(ref, { messageId: name, content, mode: 'enqueue' });

  /** A turn for what waits at the head. */
  async function turn(of: Store, name: string) {
    const { lease } = await take(of, ref, `turn of ${name}`);
    const content = `re ${name} ${'x'.repeat(50)}`;
    await of.leases.commit(lease, commitOf(`turn of ${name}`, { content, fetch: false }));
    await of.leases.release(lease, 'yield');
  }
  async function talk(of: Store, names: readonly string[]) {
    for (const name of names) {
      await of.inbox.append(ref, { messageId: name, content: `to ${name}`, mode: 'enqueue' });
      await turn(of, name);
    }
  }
  const names = (count: number) => Array.from({ length: count }, (_, at) => `m${at}`);

  it('E1 are in the log, as they were sent; the history names them there', async () => {
    await attach(store, ref);
    const sent = { content: { text: 'é' }, metadata: { a: [1] }, inReplyTo: 'm0' };
    const message = {
      ...sent,
      messageId: 'm1',
      mode: 'collect',
      traceparent: '00-1-2-01',
    } as const;
    const appended = await store.inbox.append(ref, message);
    const [event] = await log();
    if (event?.kind !== 'accepted') throw new Error('not accepted');
    expect(event.mode).toBe('collect');
    expect(decodeInput(event.body ?? '')).toEqual(sent);
    expect(appended).toEqual({ kind: 'accepted', event });
    const { lease } = await take(store, ref, 't1');
    await store.leases.commit(lease, commitOf('t1', { content: 'seen' }));
    expect(await raw()).toEqual([
      expect.stringMatching(/^u1 \d+$/),
      expect.stringMatching(/^a2 \d+$/),
    ]);
    expect(await texts()).toEqual([{ text: 'é' }, 'seen']);
  });

  it.each<[string, NonNullable<WorldOptions['limits']>]>([
    ['max_events is small', { maxEvents: 7 }],
    ['max_log_bytes is small', { maxLogBytes: 1_400, maxMessages: 12 }],
  ])('T2 stay in the history when the log drops them: %s', async (_when, limits) => {
    const few = await openTestStore(url, { limits });
    await attach(few, ref);
    await talk(few, names(20));
    expect((await log()).length).toBeLessThan(40);
    const all = names(20).flatMap((name) => [`to ${name}`, `re ${name} ${'x'.repeat(50)}`]);
    expect(await texts()).toEqual(limits.maxMessages ? all.slice(-12) : all);
  });

  it('T2 stay in the history, however many lines it has, and however late their turn comes', async () => {
    const few = await openTestStore(url, { limits: { maxEvents: 150, maxMessages: 1_000 } });
    await attach(few, ref);
    await said('late', 'the first');
    for (const name of names(100)) {
      await few.inbox.append(ref, { messageId: name, content: name, mode: 'interrupt' });
      await few.inbox.abort(ref, { reason: 'user', messageId: name });
    }
    await turn(few, 'late');
    await talk(few, ['last']);
    const found = await texts();
    expect(found.filter((it) => it === 'the first')).toHaveLength(1);
    expect(found).toHaveLength(2 * 102);
    expect(found.slice(0, 2)).toEqual(['m0', '']);
  });

  it('B1 of waiting messages take at most half of max_log_bytes; the history has the others too', async () => {
    const small = await openTestStore(url, { limits: { maxLogBytes: 4_000 } });
    await attach(small, ref);
    for (const name of ['m1', 'm2', 'm3']) {
      await small.inbox.append(ref, {
        messageId: name,
        content: name.padEnd(900, '.'),
        mode: 'enqueue',
      });
    }
    const inputs = (await log()).map((event) =>
      event.kind === 'accepted' ? event.body?.slice(1, 3) : '',
    );
    expect(inputs).toEqual(['m1', 'm2', undefined]);
    const { lease } = await take(small, ref, 't1');
    for (const turnId of ['t1', 'after-t1', 'after-after-t1']) {
      await small.leases.commit(lease, commitOf(turnId, { content: 'short' }));
    }
    const found = (await texts()).map((text) => String(text).slice(0, 2));
    expect(found).toEqual(['m1', 'sh', 'm2', 'sh', 'm3', 'sh']);
  });

  it('B1 are paged from the newest on, wherever they stand', async () => {
    await writeOldSession(client, store, 's');
    const few = await openTestStore(url, { limits: { maxEvents: 8 } });
    const { lease } = await take(few, ref, 't4');
    await few.leases.commit(lease, commitOf('t4', { content: 'reply to m4' }));
    await few.leases.release(lease, 'yield');
    await talk(
      few,
      names(4).map((name) => `new-${name}`),
    );
    const all = await texts();
    expect(all).toHaveLength(5 + 2 + 8);
    const pages: unknown[] = [];
    let before: HistoryPlace | undefined;
    do {
      const view = await few.sessions.read(ref, { count: 2, before });
      pages.unshift(...(view?.state.messages ?? []).map(({ content }) => content));
      before = view?.older;
    } while (before && pages.length < 100);
    expect(pages).toEqual(all);
    expect(await texts(400)).toEqual(all.slice(-(await texts(400)).length));
  });

  it('S3 T2 E3 are read when the release before wrote them, and new ones follow', async () => {
    const { history } = await writeOldSession(client, store, 's');
    const before = await log();
    expect(before.map((event) => event.kind)).toEqual([
      ...['accepted', 'final', 'accepted', 'accepted', 'final', 'final', 'accepted'],
    ]);
    expect(before[5]).toMatchObject({ content: 'reply to m3', usage: '{"tokens":3}', attempt: 1 });
    const known = ['text of m1', 'reply to m1', 'text of m2', 'text of m3', 'reply to m3'];
    expect(await texts()).toEqual(known);
    const m3 = { outcome: { content: 'reply to m3', status: 'ok', mergedInto: '' } };
    expect(await append(store, ref, 'm3')).toMatchObject({ kind: 'duplicate', ...m3 });
    expect(await append(store, ref, 'm4')).toMatchObject({ outcome: 'waiting' });

    const { head, lease } = await take(store, ref, 't4');
    expect(head.entries).toEqual([expect.stringContaining('m4')]);
    await store.leases.commit(lease, commitOf('t4', { content: 'reply to m4' }));
    expect(await texts()).toEqual([...known, 'text of m4', 'reply to m4']);
    expect((await raw()).slice(0, 5)).toEqual(history);
    const { events } = store.keys.session(id);
    await client.xtrim(events, 'MINID', '7');
    expect(await append(store, ref, 'm3')).toMatchObject({ kind: 'duplicate', ...m3 });
    expect(await append(store, ref, 'm2')).toMatchObject({
      outcome: { mergedInto: 'm3', status: 'ok', content: '' },
    });
  });

  it.each([
    ['itself', (lease: Lease) => store.leases.release(lease, 'yield')],
    [
      'with others',
      async (lease: Lease) => {
        const [released] = await store.manyLeases.release(store.keys.partitionOf(id), [lease]);
        return released;
      },
    ],
  ])('C4 take no spare room in Redis once a lease is given up by %s', async (_how, release) => {
    await sessionWith(store, 's', 'm1');
    const { lease } = await take(store, ref, 't1');
    await store.leases.commit(lease, commitOf('t1'));
    const { events, state } = store.keys.session(id);
    const before = { log: await log(), bytes: Number(await client.memory('USAGE', events)) };
    expect(await release(lease)).toEqual({ kind: 'released' });
    expect(await log()).toEqual(before.log);
    expect(Number(await client.memory('USAGE', events))).toBeLessThan(before.bytes - 3_000);
    expect(await client.pexpiretime(events)).toBe(await client.pexpiretime(state));
    expect(await client.keys('*copy*')).toEqual([]);
    expect(await append(store, ref, 'm2')).toMatchObject({ event: { seq: 3 } });
  });
});
