import { beforeAll, describe, expect, it } from '@jest/globals';
import { StartError } from '@sluice/runtime';
import { cancelMove, migrate, newProgress, type Store } from '@sluice/store';
import { startRedis, startTcpProxy, type TcpProxy } from '@sluice/testkit';
import type { Redis } from 'ioredis';
import * as scripts from '../../packages/store/dist/migrate/scripts-migrate.js';
import { listedAt, storedAt } from '../support/migrate/both-ends.js';
import {
  append,
  commitOf,
  idOf,
  openTestStore,
  refOf,
  sessionWith,
  take,
} from '../support/scripts/scripts-world.js';

const [FROM_PARTITIONS, TO_PARTITIONS] = [2, 3];
/** The reply is lost twice: the script then runs three times. */
const CUTS = 2;
/** A cut ends the connection, with plain commands of others on it, which end the run: it is run again. */
const RUNS_MAX = 8;

const moveScripts = Object.values(scripts).flatMap((it) => ('sha' in it ? [it] : []));

let client: Redis;
let proxy: TcpProxy;
let url: string;

beforeAll(async () => {
  const redis = await startRedis({ args: ['--appendfsync', 'no'] });
  client = redis.client();
  url = redis.url;
  proxy = await startTcpProxy(redis.port);
});

/** A dead letter, a waiting message, a session that will be gone, and a record of an end. */
async function fill(store: Store): Promise<void> {
  await sessionWith(store, 'dies', 'm1', 'm2');
  const { lease } = await take(store, refOf('dies'), 't1');
  await store.leases.commit(
    lease,
    commitOf('t1', { status: 'dead_lettered', reason: 'gave up', fetch: false }),
  );
  await store.leases.release(lease, 'hand_over');
  await sessionWith(store, 'waits', 'm1');
  await sessionWith(store, 'goes', 'm1');
}

/** What happens at the source behind the first pass: a session ends, one talks on, and a letter is dropped. */
async function goOn(store: Store): Promise<void> {
  const by = { callId: 'c1', reason: 'Ended by client', reasonCode: 'client_end' } as const;
  await store.sessions.end(refOf('goes'), by);
  await append(store, refOf('waits'), 'm2');
  await store.deadLetters.drop(`${idOf(refOf('dies'))}~m1`);
}

function makeMove(prefix: string, through: string) {
  const ends = { prefix, stream: `${prefix}:session-end` };
  const to = { ...ends, prefix: `${prefix}-new` };
  const address = { url: through };
  const until = async <T>(run: () => Promise<T>): Promise<T> => {
    for (let tried = 1; ; tried++) {
      try {
        return await run();
      } catch (error) {
        const isCut = error instanceof StartError && error.message.startsWith('Redis at');
        if (!isCut || tried === RUNS_MAX) throw error;
      }
    }
  };
  const pass = (mode: 'copy' | 'finish' | 'verify', waitMs = 15_000) =>
    until(async () => {
      const progress = newProgress();
      const given = { address, ...to, partitions: TO_PARTITIONS };
      const done = migrate({
        ...{ from: { address, ...ends }, to: given, mode, waitMs, progress },
        onNotice: () => {},
      });
      return { ...(await done), progress };
    });
  return { pass, cancel: () => until(() => cancelMove({ address, prefix }, () => {})) };
}

describe('a script of a move whose reply was lost', () => {
  it.each(moveScripts.map((script) => [script.name, script.sha]))(
    'C2 M3 %s changes nothing when it is repeated',
    async (name, sha) => {
      const prefix = `of-${name}`;
      const store = await openTestStore(url, { prefix, partitions: FROM_PARTITIONS });
      await fill(store);
      const move = makeMove(prefix, proxy.url);
      const rule = proxy.cutReply(([, given]) => given === sha, CUTS);
      await move.pass('copy');
      await goOn(store);
      // A session that is held keeps the last pass from ending: then the move is taken back, and done again.
      const { lease } = await take(store, refOf('waits'), 't1');
      await expect(move.pass('finish', 300)).rejects.toThrow(/still held/);
      expect(await move.cancel()).toBe('cancelled');
      await store.leases.release(lease, 'hand_over');
      const at = { client, prefix, partitions: FROM_PARTITIONS };
      const [before, listed] = [await storedAt(at), await listedAt(at)];
      expect(await move.pass('finish')).toMatchObject({ kind: 'finished' });
      // Once, if the cut also ended the run, and the next one had nothing left to do.
      expect(rule.hits).toBeGreaterThan(0);
      const verified = await move.pass('verify');
      expect(verified.progress).toMatchObject({ differences: [], damaged: [] });
      const there = { client, prefix: `${prefix}-new`, partitions: TO_PARTITIONS };
      for (const id of before.keys()) if (id.endsWith('.goes')) before.delete(id);
      expect(Object.fromEntries(await storedAt(there))).toEqual(Object.fromEntries(before));
      const { sessions, dead } = await listedAt(there);
      expect({ sessions, dead }).toEqual({ sessions: listed.sessions, dead: [] });
    },
  );
});
