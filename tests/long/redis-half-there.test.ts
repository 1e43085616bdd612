import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { sleep } from '@sluice/runtime';
import {
  type ConnectionPart,
  eventually,
  type GatewayProcess,
  httpBehaviours,
  startRedis,
  startTcpProxy,
  type TcpProxy,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';

/** `/ready` must be red by then (C3), with tolerance for two busy cores. */
const RED_MS = 2_700;
const BLOCKING_RED_MS = 6_000;
/** Everything must work again by then. */
const WHOLE_MS = 15_000;

describe('a Redis that is half there', () => {
  let redis: TestRedis;
  let proxy: TcpProxy;
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeEach(async () => {
    redis = await startRedis();
    proxy = await startTcpProxy(redis.port);
    const lease = { ttl: '6s', linger: '200ms' };
    cluster = await Cluster.open(redis, { redis: { url: proxy.url }, lease });
    node = await cluster.start();
  });
  afterEach(async () => {
    await cluster.stop();
    await proxy.stop();
    await redis.stop();
  });

  const isReady = async () => (await fetch(`${node.url}/ready`)).status === 200;
  async function turnsRed(ms: number): Promise<number> {
    const sinceMs = performance.now();
    await eventually(async () => !(await isReady()), ms + 2_000);
    const redMs = performance.now() - sinceMs;
    expect(redMs).toBeLessThan(ms);
    return redMs;
  }
  /** Runs a turn in a new session. */
  async function works(session_id: string): Promise<void> {
    await eventually(isReady, WHOLE_MS);
    const client = await cluster.attach(node, { session_id });
    await client.final(client.message('hello'), WHOLE_MS);
    client.close();
  }
  const warnings = () =>
    node.logs.filter(({ msg }) => /^redis (does not answer|refuses to serve)/.test(`${msg}`));

  const parts: readonly (readonly [ConnectionPart, number])[] = [
    ['commands', RED_MS],
    ['bulk', BLOCKING_RED_MS],
    ['subscriber', RED_MS],
    ['ring', RED_MS],
    ['blocking', BLOCKING_RED_MS],
  ];

  it.each(parts)(
    'C3 %s is silent: not ready, replaced, and whole again',
    async (part, redMs) => {
      await works('before');
      const told = warnings().length;
      proxy.silence(part, true);
      await turnsRed(redMs);
      // A silent connection is given up, and so is the one that replaces it.
      const { made } = proxy;
      await eventually(() => proxy.made > made, 8_000);
      expect((await fetch(`${node.url}/live`)).status).toBe(200);
      proxy.silence(part, false);
      await works('after');
      expect(warnings().slice(told)).toMatchObject([{ connection: part }]);
    },
    60_000,
  );

  it.each(parts)(
    'C3 %s is cut and refused: not ready within 1 s',
    async (part) => {
      await works('before');
      proxy.reject(part, true);
      await turnsRed(1_500);
      proxy.reject(part, false);
      await works('after');
    },
    60_000,
  );

  it.each(parts)(
    'C3 %s is silent and replaced by one that answers: goes on by itself',
    async (part) => {
      const client = await cluster.attach(node, { session_id: 's' });
      await client.final(client.message('before'));
      proxy.abandon(part);
      const held = client.message('in between');
      const refused = client.waitFor({ type: 'error', message_id: held }, WHOLE_MS);
      refused.then(
        () => client.message('in between', { message_id: held }),
        () => undefined,
      );
      await client.final(held, WHOLE_MS);
      await works('after');
      expect(cluster.agent.turns.filter(({ turn }) => turn.attempt > 1)).toEqual([]);
    },
    60_000,
  );

  it('C3 a pause of 1 s changes nothing', async () => {
    await works('before');
    for (let i = 0; i < 3; i += 1) {
      proxy.blackhole(true);
      const untilMs = performance.now() + 1_000;
      while (performance.now() < untilMs) {
        expect(await isReady()).toBe(true);
        await sleep(50);
      }
      proxy.blackhole(false);
      await sleep(300);
    }
    expect(warnings()).toEqual([]);
  }, 30_000);

  it('C3 it was made a replica, with its connections left open: each is made anew, at a bounded pace', async () => {
    await works('before');
    const admin = redis.client();
    await admin.call('REPLICAOF', '127.0.0.1', '1');
    await turnsRed(RED_MS);
    const before = proxy.commands.get('HELLO') ?? 0;
    const client = await cluster.attach(node, { session_id: 'during' }).catch((error) => error);
    expect(`${client}`).toMatch(/unavailable/);
    await sleep(5_000);
    const made = (proxy.commands.get('HELLO') ?? 0) - before;
    expect(made).toBeGreaterThan(8); // five connections, each once in one to two seconds
    expect(made).toBeLessThan(40);
    await admin.call('REPLICAOF', 'NO', 'ONE');
    await works('after');
    expect(warnings().map(({ why }) => `${why}`.split(' ')[0])).toEqual(['READONLY']);
    await node.waitForLog(({ msg }) => msg === 'redis serves again');
  }, 60_000);

  const refusals: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    [
      'NOREPLICAS',
      ['CONFIG', 'SET', 'min-replicas-to-write', '1'],
      ['CONFIG', 'SET', 'min-replicas-to-write', '0'],
    ],
    [
      'NOPERM',
      ['ACL', 'SETUSER', 'default', '-evalsha', '-eval'],
      ['ACL', 'SETUSER', 'default', '+@all'],
    ],
    [
      'NOPERM',
      ['ACL', 'SETUSER', 'default', 'resetchannels'],
      ['ACL', 'SETUSER', 'default', 'allchannels'],
    ],
  ];
  it.each(refusals)(
    'C3 L4 it refuses with %s (%j): red, said, and a reply is kept',
    async (code, spoil, mend) => {
      cluster.agent.behave(httpBehaviours.delayMs(700));
      const client = await cluster.attach(node, { session_id: 's' });
      const id = client.message('a turn under it');
      await eventually(() => cluster.agent.turns.length === 1);
      const admin = redis.client();
      const call = ([name = '', ...args]: readonly string[]) => admin.call(name, ...args);
      await call(spoil);
      const redMs = await turnsRed(RED_MS);
      if (code === 'NOREPLICAS') expect(redMs).toBeGreaterThan(1_300);
      client.message('refused', { message_id: 'm2' });
      await sleep(500);
      const errors = client.frames.filter(({ type }) => type === 'error');
      for (const error of errors)
        expect(error).toMatchObject({ code: 'unavailable', retryable: true });
      await call(mend);
      await client.final(id, WHOLE_MS);
      await works('after');
      await client.final(client.message('goes on'), WHOLE_MS); // it gets events of its session again
      expect(cluster.agent.turns.filter(({ turn }) => turn.message_id === id)).toHaveLength(1);
      expect(warnings().map(({ why }) => `${why}`.split(' ')[0])).toContain(code);
      expect(node.logs.filter(({ msg }) => msg === 'lease lost')).toEqual([]);
    },
    60_000,
  );

  it('C3 L4 it is busy with a script for 4 s: clients may try again, and a reply is kept', async () => {
    cluster.agent.behave(httpBehaviours.delayMs(700));
    const client = await cluster.attach(node, { session_id: 's' });
    const id = client.message('a turn under it');
    await eventually(() => cluster.agent.turns.length === 1);
    const admin = redis.client();
    await admin.config('SET', 'busy-reply-threshold', '50');
    const busy = redis
      .client()
      .eval('while true do end', 0)
      .catch(() => undefined);
    await turnsRed(RED_MS);
    client.message('refused', { message_id: 'm2' });
    const error = await client.waitFor({ type: 'error', message_id: 'm2' }, 8_000);
    expect(error).toMatchObject({ code: 'unavailable', retryable: true });
    expect(`${error.message}`).not.toMatch(/does not answer/);
    await sleep(1_500);
    await admin.call('SCRIPT', 'KILL');
    await busy;
    await client.final(id, WHOLE_MS);
    await works('after');
    expect(cluster.agent.turns.filter(({ turn }) => turn.message_id === id)).toHaveLength(1);
    expect(warnings()).toMatchObject([{ why: expect.stringMatching(/^BUSY/) }]);
  }, 60_000);

  it('C3 it accepts no more connections: red, and the log has its message', async () => {
    await works('before');
    const admin = redis.client();
    await admin.ping();
    await admin.config('SET', 'maxclients', '1');
    proxy.cutAll();
    await turnsRed(1_500);
    await eventually(
      () => warnings().some(({ why }) => /max number of clients/.test(`${why}`)),
      6_000,
    );
    await admin.config('SET', 'maxclients', '100');
    await works('after');
  }, 60_000);
});
