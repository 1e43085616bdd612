import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { LetterCursor, SessionRef, Store } from '@sluice/store';
import { startRedis } from '@sluice/testkit';
import type { Redis } from 'ioredis';
import {
  append,
  attach,
  commitOf,
  dump,
  idOf,
  limits,
  openTestStore,
  refOf,
  sessionWith,
  take,
} from '../support/scripts/scripts-world.js';

const MONTH_MS = 30 * 24 * 3_600_000;

describe('dead letters in Redis', () => {
  let client: Redis;
  let store: Store;
  let serial = 0;

  beforeAll(async () => {
    const redis = await startRedis({ args: ['--appendfsync', 'no'] });
    client = redis.client();
    store = await openTestStore(redis.url, { limits: { maxDead: 3 } });
  });
  beforeEach(async () => {
    await client.flushall();
  });

  const idsIn = async (ref: SessionRef) =>
    (await client.lrange(store.keys.session(idOf(ref)).inbox, 0, -1)).map((it) => it.split(' ')[0]);
  const all = (more: Partial<Parameters<Store['deadLetters']['list']>[0]> = {}) =>
    store.deadLetters.list({ count: 100, ...more });
  const listed = async () => (await all()).letters.map(({ letterId }) => letterId);

  /** The head is given up, and its session left alone. */
  async function die(ref: SessionRef) {
    const turnId = `t${++serial}`;
    const { lease } = await take(store, ref, turnId);
    const end = commitOf(turnId, { status: 'dead_lettered', reason: 'no attempt', fetch: false });
    await store.leases.commit(lease, end);
    await store.leases.release(lease, 'yield');
  }
  /** Makes a session in which this message has died; returns the id of its letter. */
  async function dead(sessionId: string, messageId: string, principal = 'alice') {
    const ref = { ...refOf(sessionId), principal };
    await attach(store, ref, { attachId: 'first' });
    await append(store, ref, messageId);
    await die(ref);
    return `${idOf(ref)}~${messageId}`;
  }

  it('T4 are listed with all that is known of them, newest first, whatever their partition', async () => {
    const ids: string[] = [];
    for (let n = 1; n <= 12; n++) ids.unshift(await dead(`s${n}`, `m${n}`));
    const { letters, next } = await all();
    expect(letters.map(({ letterId }) => letterId)).toEqual(ids);
    expect(next).toBeUndefined();
    expect(new Set(ids.map((id) => store.keys.partitionOf(id.split('~')[0] ?? ''))).size).toBe(4);
    expect(letters[0]).toMatchObject({
      principal: 'alice',
      sessionId: 's12',
      agent: 'echo',
      messageId: 'm12',
      content: 'content of m12',
      reason: 'no attempt',
      attempts: 1,
    });
    const times = letters.map(({ deadAtMs }) => deadAtMs);
    expect(times).toEqual([...times].sort((a, b) => b - a));
  });

  it('T4 come in pages that join without gap or double, also when partitions gave one number', async () => {
    const ids: string[] = [];
    for (let n = 1; n <= 12; n++) ids.push(await dead(`s${n}`, `m${n}`));
    for (const letterId of ids) {
      const [id = ''] = letterId.split('~');
      const { dead: index, letters } = store.keys.session(id);
      const number = Number(await client.zrank(index, letterId)) + 1;
      await client.zadd(letters, number, (await client.zrange(letters, '0', '-1'))[0] ?? '');
      await client.zadd(index, 'XX', number, letterId);
    }
    const sizes: number[] = [];
    const seen: string[] = [];
    let after: LetterCursor | undefined;
    do {
      const page = await all({ count: 5, after });
      sizes.push(page.letters.length);
      seen.push(...page.letters.map(({ letterId }) => letterId));
      after = page.next;
    } while (after);
    expect(sizes).toEqual([5, 5, 2]);
    expect([...seen].sort()).toEqual([...ids].sort());
  });

  it('T4 X2 of one principal are listed alone', async () => {
    const hers = await dead('s', 'm1', 'alice');
    const his = await dead('s', 'm1', 'bob');
    expect(await listed()).toEqual([his, hers]);
    const { letters } = await all({ principal: 'alice' });
    expect(letters.map(({ letterId }) => letterId)).toEqual([hers]);
    expect(await store.deadLetters.retry(his, 'alice')).toEqual({ kind: 'not_found' });
    expect(await store.deadLetters.drop(his, 'alice')).toBe(false);
    expect(await listed()).toEqual([his, hers]);
  });

  it('B1 T4 at most max_dead are kept per session, and other sessions lose none', async () => {
    const quiet = await dead('quiet', 'm0');
    const ids = [];
    for (let n = 1; n <= 5; n++) ids.unshift(await dead('noisy', `m${n}`));
    expect(await listed()).toEqual([...ids.slice(0, 3), quiet]);
    expect((await all({ principal: 'alice' })).letters).toHaveLength(4);
    const { letters } = store.keys.session(idOf(refOf('noisy')));
    expect(await client.zcard(letters)).toBe(3);
  });

  it('B1 T4 messages that were given up in one turn become a letter each', async () => {
    const ref = refOf('s');
    await attach(store, ref);
    for (const messageId of ['c1', 'c2']) {
      await store.inbox.append(ref, { messageId, content: messageId, mode: 'collect' });
    }
    await die(ref);
    expect((await all()).letters.map(({ messageId }) => messageId)).toEqual(['c2', 'c1']);
  });

  it('B1 T4 are deleted by the sweep after 30 days, and no sooner', async () => {
    const old = await dead('s', 'old');
    const young = await dead('s', 'young');
    const { letters, dead: index, dead_owned: owned } = store.keys.session(idOf(refOf('s')));
    const move = async (letterId: string, byMs: number) => {
      const number = Number(await client.zscore(index, letterId)) - byMs * 1_000;
      const [text = ''] = await client.zrange(letters, letterId === old ? '0' : '1', '-1');
      await client.zadd(letters, number, text);
      for (const key of [index, owned]) await client.zadd(key, number, letterId);
    };
    await move(old, MONTH_MS + 1_000);
    await move(young, MONTH_MS - 60_000);
    const partition = store.keys.partitionOf(idOf(refOf('s')));
    await store.sweep(partition);
    expect(await listed()).toEqual([young]);
    expect(await client.zcard(letters)).toBe(1);
    expect(await client.zcard(owned)).toBe(1);
  });

  it('T4 a retry is a new message behind what waits, and the letter is gone', async () => {
    const ref = refOf('s');
    const letterId = await dead('s', 'm1');
    for (const messageId of ['m2', 'm3']) await append(store, ref, messageId);
    const retried = await store.deadLetters.retry(letterId);
    const event = { kind: 'accepted', messageId: 'm1.retry.1', position: 2 };
    expect(retried).toMatchObject({ kind: 'accepted', sessionId: 's', event });
    expect(await idsIn(ref)).toEqual(['m2', 'm3', 'm1.retry.1']);
    const log = await store.sessions.log(ref, { after: 0, count: 100 });
    expect(log?.events.at(-1)).toMatchObject(retried.kind === 'accepted' ? retried.event : {});
    expect(await listed()).toEqual([]);
    expect(await store.deadLetters.retry(letterId)).toEqual({ kind: 'not_found' });
    const read = await store.sessions.read(ref, { count: 0 });
    expect(read?.state.pending_inbox.at(-1)).toBe('content of m1');
  });

  it('T4 a message that dies again is numbered on from its first id, past ids that a client has used', async () => {
    const ref = refOf('s');
    let letterId = await dead('s', 'm1');
    await append(store, ref, 'm1.retry.2');
    await die(ref);
    const retried: unknown[] = [];
    for (let n = 0; n < 2; n++) {
      const answer = await store.deadLetters.retry(letterId);
      retried.push(answer.kind === 'accepted' && answer.event.messageId);
      await die(ref);
      letterId = `${idOf(ref)}~${retried.at(-1)}`;
    }
    expect(retried).toEqual(['m1.retry.1', 'm1.retry.3']);
  });

  it('T4 when many retry a letter at once, one succeeds', async () => {
    const letterId = await dead('s', 'm1');
    const tries = Array.from({ length: 10 }, () => store.deadLetters.retry(letterId));
    const kinds = (await Promise.all(tries)).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'accepted')).toHaveLength(1);
    expect(await idsIn(refOf('s'))).toEqual(['m1.retry.1']);
  });

  it('T4 S4 a retry that is refused changes nothing: session gone, other agent, inbox full', async () => {
    const unchanged = async (letterId: string, answer: object) => {
      const before = await dump(client, 'sluice');
      expect(await store.deadLetters.retry(letterId)).toEqual(answer);
      expect(await dump(client, 'sluice')).toEqual(before);
    };
    const expired = await dead('expired', 'm1');
    await client.del(store.keys.session(idOf(refOf('expired'))).state);
    await unchanged(expired, { kind: 'gone' });

    const ended = await dead('ended', 'm1');
    const by = { callId: 'c1', reason: 'Ended by client', reasonCode: 'client_end' } as const;
    await store.sessions.end(refOf('ended'), by);
    await unchanged(ended, { kind: 'gone' });
    await attach(store, refOf('ended'), { agent: 'another' });
    await unchanged(ended, { kind: 'gone' });

    const full = await dead('full', 'm1');
    for (let n = 0; n < limits.maxInbox; n++) await append(store, refOf('full'), `w${n}`);
    await unchanged(full, { kind: 'full', limit: 'max_inbox' });
    expect(await listed()).toEqual([full, ended, expired]);
  });

  it('T4 C4 a session that was idle does not expire with a retried message in it', async () => {
    const letterId = await dead('s', 'm1');
    const { state, inbox } = store.keys.session(idOf(refOf('s')));
    expect(await client.pttl(state)).toBeGreaterThan(0);
    await store.deadLetters.retry(letterId);
    expect([await client.pttl(state), await client.pttl(inbox)]).toEqual([-1, -1]);
  });

  it('T4 ids that are malformed, or not of a letter, are not found', async () => {
    await sessionWith(store, 's', 'm1');
    const id = idOf(refOf('s'));
    for (const wrong of [
      '',
      '~',
      id,
      `${id}~m1`,
      `${id}~`,
      'x~y',
      `${id}~m 1`,
      `${id}~${'m'.repeat(300)}`,
    ]) {
      expect([wrong, await store.deadLetters.retry(wrong)]).toEqual([wrong, { kind: 'not_found' }]);
      expect([wrong, await store.deadLetters.drop(wrong)]).toEqual([wrong, false]);
    }
  });
});
