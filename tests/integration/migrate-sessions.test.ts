import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { cancelMove, migrate, newProgress, type Store } from '@sluice/store';
import { startRedis, type TestRedis } from '@sluice/testkit';
import type { Redis } from 'ioredis';
import { layoutAt, listedAt, storedAt } from '../support/migrate/both-ends.js';
import {
  append,
  attach,
  commitOf,
  idOf,
  openTestStore,
  refOf,
  sessionWith,
  take,
} from '../support/scripts/scripts-world.js';

const [FROM_PARTITIONS, TO_PARTITIONS] = [4, 7];

let old: TestRedis;
let target: TestRedis;
let oldClient: Redis;
let newClient: Redis;
let store: Store;

beforeAll(async () => {
  [old, target] = await Promise.all([startRedis(), startRedis()]);
  [oldClient, newClient] = [old.client(), target.client()];
  store = await openTestStore(old.url, { partitions: FROM_PARTITIONS, prefix: 'a' });
  await fill();
});

/** Sessions in every state in which one may be found. */
async function fill(): Promise<void> {
  await attach(store, refOf('unused'));
  await sessionWith(store, 'waiting', 'm1', 'm2', 'm3');
  for (let n = 0; n < 40; n++) await conversation(`talk-${n}`, 1 + (n % 5));
  await sessionWith(store, 'running', 'm1', 'm2');
  await take(store, refOf('running'), 'turn-running');
  await sessionWith(store, 'lingering', 'm1');
  const { lease } = await take(store, refOf('lingering'), 'turn-lingering');
  await store.leases.commit(lease, commitOf('turn-lingering'));
  await sessionWith(store, 'dead', 'm1', 'm2');
  const dead = await take(store, refOf('dead'), 'turn-dead');
  const given = commitOf('turn-dead', { status: 'dead_lettered', reason: 'gave up' });
  await store.leases.commit(dead.lease, given);
  await store.leases.release(dead.lease, 'hand_over');
  await sessionWith(store, 'paused', 'm1');
  await store.pauses.session(refOf('paused'), true);
  await store.pauses.agent('echo', true);
  await store.pauses.agent('echo', false);
  await store.pauses.agent('other', true);
  await sessionWith(store, 'large', 'm1');
  for (let n = 0; n < 12; n++) {
    const content = `${n} ${randomBytes(60_000).toString('base64')} ü€😀`;
    await store.inbox.append(refOf('large'), { messageId: `l${n}`, content, mode: 'enqueue' });
  }
  await sessionWith(store, 'ended', 'm1');
  await store.sessions.end(refOf('ended'), {
    callId: 'end',
    reason: 'Ended by client',
    reasonCode: 'client_end',
  });
}

async function conversation(name: string, turns: number): Promise<void> {
  const ref = await sessionWith(store, name, 'm0');
  for (let n = 1; n <= turns; n++) {
    const { lease } = await take(store, ref, `turn-${name}-${n}`);
    await store.leases.commit(lease, commitOf(`turn-${name}-${n}`, { fetch: false }));
    await store.leases.release(lease, 'hand_over');
    if (n < turns) await append(store, ref, `m${n}`);
  }
}

type Entries = [string, [string, string[]][]];
const readNew = async (client: Redis, count: number) => {
  const streams = ['STREAMS', 'a:session-end', '>'] as const;
  const read = await client.xreadgroup('GROUP', 'ops', 'c', 'COUNT', count, ...streams);
  return ((read as Entries[])[0]?.[1] ?? []).map(([id]) => id);
};

/** Four SESSION_END entries, of which a reader of a group has acknowledged the first and read the second. */
async function fillStream(): Promise<void> {
  await oldClient.xgroup('CREATE', 'a:session-end', 'ops', '0');
  for (const id of ['1-0', '2-0', '3-0', '4-0']) {
    await oldClient.xadd('a:session-end', id, 'payload', id);
  }
  expect(await readNew(oldClient, 2)).toEqual(['1-0', '2-0']);
  await oldClient.xack('a:session-end', 'ops', '1-0');
}

const ends = { prefix: 'a', stream: 'a:session-end' };
function pass(mode: 'copy' | 'finish' | 'verify' | 'dry_run', more: { waitMs?: number } = {}) {
  const progress = newProgress();
  const done = migrate({
    from: { address: { url: old.url }, ...ends },
    to: { address: { url: target.url }, ...ends, partitions: TO_PARTITIONS },
    mode,
    waitMs: 15_000,
    progress,
    onNotice: () => {},
    ...more,
  });
  return done.then(({ kind }) => ({ kind, progress }));
}

const atOld = () => ({ client: oldClient, prefix: 'a', partitions: FROM_PARTITIONS });
const atNew = () => ({ client: newClient, prefix: 'a', partitions: TO_PARTITIONS });

/** The ended session is a tombstone, which does not move. */
const without = <T>(sessions: Map<string, T>, ...names: string[]) => {
  for (const name of names) sessions.delete(idOf(refOf(name)));
  return Object.fromEntries([...sessions].sort());
};

describe('a move, session by session', () => {
  it('M1 a pass copies each session whole, with its expiry, and a repeat changes nothing', async () => {
    const dry = await pass('dry_run');
    expect(dry.progress.copied).toBeGreaterThan(45);
    expect(await newClient.dbsize()).toBe(0);

    const first = await pass('copy');
    expect(first.progress).toMatchObject({ busy: 0, damaged: [], letters: 1 });
    expect(first.progress.copied).toBe(dry.progress.copied);
    const source = without(await storedAt(atOld()), 'ended');
    expect(without(await storedAt(atNew()))).toEqual(source);
    expect(Object.keys(source).length).toBeGreaterThan(45);
    const [listed, copies] = [await listedAt(atOld()), await listedAt(atNew())];
    expect({ sessions: copies.sessions, dead: copies.dead }).toEqual({
      sessions: listed.sessions,
      dead: listed.dead,
    });

    const again = await pass('copy');
    expect(again.progress).toMatchObject({ copied: 0, letters: 0, busy: 0 });
    const verified = await pass('verify');
    expect(verified.progress).toMatchObject({ differences: [], damaged: [] });
    expect(verified.progress.same).toBe(dry.progress.copied);
  });

  it('M1 what has changed since is copied again, and nothing else', async () => {
    await append(store, refOf('talk-3'), 'later');
    await store.sessions.mark(refOf('talk-4'), { lowest: 2, detached: 1 });
    const { progress } = await pass('copy');
    expect(progress.copied).toBe(2);
    expect(without(await storedAt(atNew()))).toEqual(without(await storedAt(atOld()), 'ended'));
  });

  it('M3 no node starts where a copy is not complete', async () => {
    const started = openTestStore(target.url, { prefix: 'a', partitions: TO_PARTITIONS });
    await expect(started).rejects.toThrow(/is not complete.*--finish/);
  });

  it('M2 the last pass waits for leases, closes the old data and opens the new one', async () => {
    await store.sessions.end(refOf('talk-5'), {
      callId: 'end-5',
      reason: 'Ended by client',
      reasonCode: 'client_end',
    });
    await fillStream();
    const before = without(await storedAt(atOld()), 'ended', 'talk-5');
    const { kind, progress } = await pass('finish');
    expect({ kind, ...progress }).toMatchObject({ kind: 'finished', differences: [], held: 0 });
    expect(progress.ends).toBe(2);
    expect(without(await storedAt(atNew()), 'talk-5')).toEqual(before);
    const work = ['dead', 'large', 'paused', 'running', 'talk-3', 'waiting'];
    const listed = await listedAt(atNew());
    expect(listed.sessions).not.toContain(idOf(refOf('talk-5')));
    expect(listed.pending).toEqual(work.map((name) => idOf(refOf(name))).sort());
    expect(listed.held).toEqual(['lingering', 'running'].map((name) => idOf(refOf(name))).sort());

    // The group goes on: what was read and not acknowledged comes again.
    expect(await readNew(newClient, 10)).toEqual(['2-0', '3-0', '4-0']);

    // Refused, not lost: the old data answers nothing that it could not keep.
    await expect(append(store, refOf('talk-1'), 'late')).rejects.toThrow(/moved to another place/);
    await expect(attach(store, refOf('talk-1'))).rejects.toThrow(/moved to another place/);
    await expect(attach(store, refOf('new'))).rejects.toThrow(/moved to another place/);
    const restarted = openTestStore(old.url, { prefix: 'a', partitions: FROM_PARTITIONS });
    await expect(restarted).rejects.toThrow(/was moved to redis:.*7 partitions/);
    expect(await layoutAt(newClient, 'a')).toMatchObject({ version: '2', partitions: '7' });
  });

  it('M3 after that a pass changes nothing, and the move cannot be taken back', async () => {
    const opened = await openTestStore(target.url, { prefix: 'a', partitions: TO_PARTITIONS });
    await append(opened, refOf('talk-1'), 'new');
    const kept = await storedAt(atNew());
    for (const mode of ['copy', 'finish'] as const)
      expect((await pass(mode)).kind).toBe('complete');
    expect(await storedAt(atNew())).toEqual(kept);
    expect(await cancelMove({ address: { url: old.url }, prefix: 'a' }, () => {})).toBe('done');
    expect((await opened.pauses.agents()).sort()).toEqual(['other']);
    const letters = await opened.deadLetters.list({ count: 10 });
    expect(letters.letters.map(({ messageId }) => messageId)).toEqual(['m1']);
  });
});
