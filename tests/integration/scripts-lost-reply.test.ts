import { readdirSync } from 'node:fs';
import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type Store, StoreUnavailable } from '@sluice/store';
import { eventually, startRedis, startTcpProxy, type TcpProxy } from '@sluice/testkit';
import type { Redis } from 'ioredis';
import * as moves from '../../packages/store/dist/migrate/scripts-migrate.js';
import * as scripts from '../../packages/store/dist/script/scripts.js';
import { type ScriptCall, scriptCalls } from '../support/scripts/scripts-calls.js';
import {
  append,
  attach,
  contents,
  openTestStore,
  sessionWith,
  withoutTimes,
} from '../support/scripts/scripts-world.js';

const byName = new Map(Object.values(scripts).map((script) => [script.name, script] as const));

/** How often the reply is lost: the script then runs three times. */
const CUTS = 2;

describe('a script whose reply was lost', () => {
  let client: Redis;
  let proxy: TcpProxy;
  /** Undisturbed, and behind the proxy; each under a prefix of its own. */
  let calm: Store;
  let cut: Store;

  beforeAll(async () => {
    const redis = await startRedis({ args: ['--appendfsync', 'no'] });
    client = redis.client();
    proxy = await startTcpProxy(redis.port);
    calm = await openTestStore(redis.url, { prefix: 'calm' });
    cut = await openTestStore(proxy.url, { prefix: 'cut' });
  });
  beforeEach(async () => {
    await client.flushall();
  });

  async function run(store: Store, call: ScriptCall, losing: number) {
    const published: string[] = [];
    const listener = client.duplicate();
    await listener.psubscribe(`${store.keys.prefix}:{p*}:s:*`);
    listener.on('pmessage', (_pattern, _channel, text: string) => published.push(text));
    const go = await call.prepare(store, client);
    const rule = proxy.cutReply(([, sha]) => sha === byName.get(call.script)?.sha, losing);
    const answer = await go();
    rule.cancel();
    await listener.ping(); // its answer comes after everything that was published
    listener.disconnect();
    const seen = { answer, published, stored: await contents(client, store) };
    return { seen: withoutTimes(seen, store.keys.prefix), lost: rule.hits };
  }

  it('C2 is tested for every script', () => {
    const files = readdirSync(new URL('../../packages/store/scripts', import.meta.url));
    const names = files.filter((file) => file.endsWith('.lua')).map((file) => file.slice(0, -4));
    // Those of a move are repeated in tests/integration/migrate-lost-reply.test.ts.
    const ofMoves = Object.values(moves).flatMap((it) => ('sha' in it ? [it.name] : []));
    const tested = new Set([...scriptCalls.map(({ script }) => script), ...ofMoves]);
    expect([...tested].sort()).toEqual(names.sort());
  });

  it.each(scriptCalls.map((call) => [call.script, call.when, call] as const))(
    'C2 %s changes nothing when it is repeated, and answers the same: %s',
    async (_script, _when, call) => {
      const expected = await run(calm, call, 0);
      const repeated = await run(cut, call, CUTS);
      expect(repeated.lost).toBe(CUTS);
      expect(repeated.seen).toEqual(expected.seen);
    },
  );

  it('C2 D9 the end of a session, sent again, leaves the next one under its id alone', async () => {
    const ref = await sessionWith(calm, 's', 'm1');
    const by = { callId: 'c1', reason: 'Ended by client', reasonCode: 'client_end' } as const;
    const record = await calm.sessions.end(ref, by);
    await attach(calm, ref);
    await append(calm, ref, 'm2');
    expect(await calm.sessions.end(ref, by)).toBe(record);
    expect(await calm.sessions.read(ref, { count: 0 })).toMatchObject({
      state: { event_cursor: 1 },
    });
    expect(await calm.sessions.end(ref, { ...by, callId: 'c2' })).not.toBe(record);
    expect(await calm.sessions.read(ref, { count: 0 })).toBeUndefined();
  });

  it('C3 a read whose reply was lost says that the store is unavailable', async () => {
    const ref = await sessionWith(cut, 's', 'm1');
    const rule = proxy.cutReply(([name]) => name?.toUpperCase() === 'HMGET');
    const reading = cut.sessions.place(ref);
    await expect(reading).rejects.toThrow(StoreUnavailable);
    expect(rule.hits).toBe(1);
    await eventually(() => cut.isReachable());
    expect(await cut.sessions.place(ref)).toMatchObject({ head: 1 });
  });
});
