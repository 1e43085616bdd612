import { beforeAll, describe, expect, it } from '@jest/globals';
import type { Store } from '@sluice/store';
import { startRedis } from '@sluice/testkit';
import type { Redis } from 'ioredis';
import * as scripts from '../../packages/store/dist/script/scripts.js';
import { scriptCalls } from '../support/scripts/scripts-calls.js';
import {
  append,
  attach,
  dump,
  idOf,
  openTestStore,
  refOf,
  take,
} from '../support/scripts/scripts-world.js';

const byName = new Map(Object.values(scripts).map((script) => [script.name, script] as const));
const ref = refOf('s');
const id = idOf(ref);

describe('keys that are damaged', () => {
  let client: Redis;
  let store: Store;
  beforeAll(async () => {
    const redis = await startRedis({ args: ['--appendfsync', 'no'] });
    client = redis.client();
    store = await openTestStore(redis.url, { prefix: 'types' });
  });

  const named = (): Record<string, string> => {
    const {
      sessionPrefix: _s,
      ownedPrefix: _o,
      ...lists
    } = store.keys.partition(store.keys.partitionOf(id));
    return { ...lists, ...store.keys.session(id) };
  };
  /** Only keys of its partition: some calls run several scripts, and the others change keys elsewhere. */
  const ofPartition = () => store.keys.session(id).state.replace(/\}.*$/, '}');
  /** Redlock writes its own key: the expiry of that one moves. */
  async function stored() {
    const { [store.keys.session(id).lease]: _redlock, ...all } = await dump(client, ofPartition());
    return all;
  }
  /** A key of a type that no script expects there. */
  async function damage(key: string) {
    await client.del(key);
    await client.geoadd(key, 1, 1, 'x').catch(() => undefined);
    await client.del(key);
    await client.pfadd(key, 'x');
    if (/:(lease|swept)$/.test(key)) await client.pipeline().del(key).sadd(key, 'x').exec();
  }

  it.each(scriptCalls.map((call) => [call.script, call.when, call] as const))(
    'C2 %s changes nothing when any of its keys has another type: %s',
    async (_script, _when, call) => {
      for (const name of byName.get(call.script)?.keys ?? []) {
        const key = named()[name];
        if (key === undefined || name === 'state') continue;
        await client.flushall();
        const go = await call.prepare(store, client);
        await damage(key);
        const before = await stored();
        const failed = await go().then(
          () => false,
          () => true,
        );
        const after = await stored();
        if (failed) expect({ name, dump: after }).toEqual({ name, dump: before });
      }
    },
  );

  it('E1 an event without its cursor is mended by the next one, and readers see both', async () => {
    await client.flushall();
    await attach(store, ref);
    await append(store, ref, 'm1');
    const { state, events } = store.keys.session(id);
    await client.xadd(events, '2-0', 'ts', 1, 'b', 20, 't', 'a', 'm', 'lost', 'p', 1);
    expect(await append(store, ref, 'm2')).toMatchObject({ kind: 'accepted', event: { seq: 3 } });
    const page = await store.sessions.log(ref, { after: 0, count: 10 });
    expect(page?.events.map(({ seq }) => seq)).toEqual([1, 2, 3]);
    expect(await client.hget(state, 'cursor')).toBe('3');
    await take(store, ref, 't1');
  });

  it('T7 X4 the sweep sets a damaged session aside, names it, and goes on with the others', async () => {
    await client.flushall();
    const partition = store.keys.partitionOf(id);
    const { pending, dead, sessions, swept } = store.keys.partition(partition);
    const names = Array.from({ length: 100 }, (_, at) => `whole${at}`);
    const whole = names.find((it) => store.keys.partitionOf(idOf(refOf(it))) === partition) ?? '';
    for (const sessionId of ['s', whole]) {
      await attach(store, refOf(sessionId));
      await append(store, refOf(sessionId), 'm1');
    }
    const both = [id, idOf(refOf(whole))];
    const { inbox } = store.keys.session(id);
    for (const key of [inbox, dead, sessions, swept]) await damage(key);
    for (const it of both) await client.zadd(pending, 1, it);
    const { rings, setAside } = await store.sweep(partition);
    expect(rings.map((ring) => ring.id)).toEqual([both[1]]);
    expect(setAside.map(({ where }) => where).sort()).toEqual([id, 'dead', 'sessions'].sort());
    for (const { why } of setAside) expect(why).toMatch(/WRONGTYPE/);
    const [nowS] = await client.time();
    expect(Number(await client.zscore(pending, id))).toBeGreaterThan(Number(nowS) * 1_000 + 50_000);
  });
});
