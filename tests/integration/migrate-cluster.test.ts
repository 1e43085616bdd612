import { describe, expect, it } from '@jest/globals';
import type { RedisAddress, SessionRef, Store } from '@sluice/store';
import { startRedis, startRedisCluster } from '@sluice/testkit';
import { sluice } from '../support/cluster/sluice.js';
import {
  append,
  commitOf,
  idOf,
  openTestStore,
  refOf,
  sessionWith,
  take,
} from '../support/scripts/scripts-world.js';

const SESSIONS = 40;
const [OLD_PARTITIONS, NEW_PARTITIONS] = [4, 32];

/** What a client reads of a session, without what names the holder. */
async function read(store: Store, ref: SessionRef) {
  const view = await store.sessions.read(ref, { count: 100 });
  const log = await store.sessions.log(ref, { after: 0, count: 100 });
  return { messages: view?.state.messages, pending: view?.state.pending_message_ids, log };
}

describe('a move to a Redis Cluster', () => {
  it('M1 M2 M3 spreads the sessions over the masters, each as it was, and its turns go on', async () => {
    const [redis, cluster] = await Promise.all([startRedis(), startRedisCluster()]);
    const old = await openTestStore(redis.url, { prefix: 'a', partitions: OLD_PARTITIONS });
    const refs = Array.from({ length: SESSIONS }, (_, n) => refOf(`s${n}`));
    for (const [n, ref] of refs.entries()) {
      await sessionWith(old, ref.sessionId, 'm1', 'm2');
      if (n % 2 === 0) continue;
      const { lease } = await take(old, ref, `turn-${n}`);
      const dead = { status: 'dead_lettered', reason: 'gave up', fetch: false };
      await old.leases.commit(lease, commitOf(`turn-${n}`, n % 5 ? { fetch: false } : dead));
      await old.leases.release(lease, 'hand_over');
    }
    const before = await Promise.all(refs.map((ref) => read(old, ref)));

    const to = cluster.urls.join(',');
    const args = ['migrate', '--from', redis.url, '--to', to, '--prefix', 'a'];
    const move = (...more: string[]) =>
      sluice([...args, '--partitions', String(NEW_PARTITIONS), ...more]);
    expect((await move()).stdout).toMatch(new RegExp(`^copied +${SESSIONS},`, 'm'));
    await append(old, refOf('s3'), 'm3');
    const after = await read(old, refOf('s3'));
    const finished = await move('--finish');
    // On a busy machine it takes long enough to tell its progress.
    expect(finished).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(/^(\d+ of \d+ sessions, .*\n)*$/),
    });
    expect(finished.stdout).toMatch(/^copied +1,/m);

    const address: RedisAddress = { url: cluster.urls[0] ?? '', nodes: cluster.urls };
    const moved = await openTestStore(address.url, {
      ...{ address, prefix: 'a', partitions: NEW_PARTITIONS },
    });
    const there = await Promise.all(refs.map((ref) => read(moved, ref)));
    expect(there).toEqual(before.map((view, n) => (n === 3 ? after : view)));
    const sizes = await Promise.all(cluster.nodes.map(({ direct }) => direct.dbsize()));
    expect(Math.min(...sizes)).toBeGreaterThan(SESSIONS / 2);
    const { letters } = await moved.deadLetters.list({ count: 100 });
    expect(letters.length).toBe(4);

    // The first event there draws a new epoch, which leads on from the old one: no client has to resync.
    const ref = refOf('s1');
    const { lease } = await take(moved, ref, 'turn-there');
    await moved.leases.commit(lease, commitOf('turn-there'));
    const known = before[1]?.log;
    const back = await moved.sessions.attach({
      ...{ ...ref, agent: 'echo', create: false, attachId: 'back' },
      ...{ since: known?.head ?? 0, epoch: known?.epoch ?? '' },
    });
    expect(back).toMatchObject({ kind: 'attached', resync: false });
    expect(moved.keys.session(idOf(ref)).state).not.toBe(old.keys.session(idOf(ref)).state);
  }, 60_000);
});
