import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  eventually,
  type FrameClient,
  type GatewayProcess,
  gaps,
  HelloRefused,
  httpBehaviours,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';

describe('while Redis is away', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeEach(async () => {
    redis = await startRedis();
    cluster = await Cluster.open(redis, { lease: { ttl: '2s' } });
    node = await cluster.start();
  });
  afterEach(async () => {
    await redis.resume();
    await cluster.stop();
    await redis.stop();
  });

  const failing = async () => {
    const response = await fetch(`${node.url}/ready`);
    const body: unknown = await response.json();
    return { status: response.status, body };
  };
  const notReady = { status: 503, body: { failing: ['redis'] } };

  /** Sends a message; returns its error and how long that took. */
  async function refusedMessage(client: FrameClient, id: string) {
    const sentAt = performance.now();
    client.message('nobody stores this', { message_id: id });
    const error = await client.waitFor({ type: 'error', message_id: id }, 8_000);
    return { error, ms: performance.now() - sentAt };
  }

  async function refusesEverywhere(client: FrameClient) {
    const { error, ms } = await refusedMessage(client, 'lost');
    expect(error).toMatchObject({ code: 'unavailable', retryable: true });
    expect(ms).toBeLessThan(1_000);
    const greetedAt = performance.now();
    await expect(cluster.attach(node, { session_id: 'new' })).rejects.toThrow(HelloRefused);
    expect(performance.now() - greetedAt).toBeLessThan(1_000);
    const response = await fetch(`${node.url}/v1/sessions/s`);
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBeTruthy();
    expect(await response.json()).toMatchObject({
      error: { code: 'unavailable', retryable: true },
    });
    expect((await fetch(`${node.url}/live`)).status).toBe(200);
  }

  it('C3 refuses at once, and executes what was acknowledged when it is back', async () => {
    cluster.agent.behave(httpBehaviours.delayMs(300));
    const client = await cluster.attach(node, { session_id: 's' });
    const ids = ['m1', 'm2', 'm3'];
    for (const id of ids) client.message(id, { message_id: id });
    await client.collect(3, { status: 'accepted' });

    await redis.kill();
    const killedAt = performance.now();
    await eventually(async () => expect(await failing()).toMatchObject(notReady), 3_000);
    expect(performance.now() - killedAt).toBeLessThan(1_000);
    await refusesEverywhere(client);
    await node.waitForLog(({ msg }) => `${msg}`.startsWith('redis does not answer'));

    const returnsAt = performance.now();
    await redis.start();
    await eventually(async () => (await failing()).status === 200, 6_000);
    expect(performance.now() - returnsAt).toBeLessThan(3_000);
    for (const id of ids) await client.final(id);
    const firstTries = cluster.agent.turns.filter(
      ({ turn }, at, all) => all.findIndex((t) => t.turn.message_id === turn.message_id) === at,
    );
    expect(firstTries.map(({ turn }) => turn.message_id)).toEqual(ids);
    expect(await cluster.inbox('s')).toEqual([]);

    await node.waitForLog(({ msg }) => msg === 'redis answers again');
    const told = node.logs.filter(({ msg }) =>
      /^redis (does not answer|answers again)/.test(`${msg}`),
    );
    expect(told.map(({ level }) => level)).toEqual(['warn', 'info']);
    expect(node.logs.filter(({ err, msg }) => err && msg === 'ring failed')).toEqual([]);

    // The refused message was not stored: sent again it is a new one.
    client.message('again', { message_id: 'lost' });
    expect(await client.waitFor({ status: 'accepted', message_id: 'lost' })).not.toHaveProperty(
      'duplicate',
    );
    await client.final('lost');
    const fresh = await cluster.attach(node, { session_id: 's' });
    await fresh.final('lost');
    expect(gaps(fresh.logged())).toEqual([]);
    const finals = fresh.logged().filter(({ status }) => status === 'final');
    expect(finals.map(({ message_id }) => message_id)).toEqual([...ids, 'lost']);
  });

  it('B1 holds no more for a silent Redis than 16 of the largest frames of a connection', async () => {
    const small = await cluster.start({ gateway: { max_payload: '64KiB' } });
    const client = await cluster.attach(small, { session_id: 'large' });
    await redis.pause();
    const ids = Array.from({ length: 20 }, (_, i) => `m${i}`);
    for (const id of ids) client.message('x'.repeat(60_000), { message_id: id });
    const refused = await client.collect(3, { type: 'error', code: 'rate_limited' });
    expect(refused.map(({ message_id }) => message_id)).toEqual(['m17', 'm18', 'm19']);
  });

  it('C3 says so too when Redis is there and silent', async () => {
    const client = await cluster.attach(node, { session_id: 's' });
    await redis.pause();
    const pausedAt = performance.now();
    await eventually(async () => expect(await failing()).toMatchObject(notReady), 3_000);
    // A pause of 1 s changes nothing. On a busy machine the 2 s may take a little longer.
    expect(performance.now() - pausedAt).toBeGreaterThan(1_300);
    expect(performance.now() - pausedAt).toBeLessThan(2_700);
    const { error, ms } = await refusedMessage(client, 'm1');
    expect(error).toMatchObject({ code: 'unavailable', retryable: true });
    expect(ms).toBeLessThan(4_000);
    await expect(cluster.attach(node, { session_id: 'new' })).rejects.toThrow(HelloRefused);
    await redis.resume();
    const resumedAt = performance.now();
    await eventually(async () => (await failing()).status === 200, 6_000);
    expect(performance.now() - resumedAt).toBeLessThan(3_000);
    // It is unknown whether the call was executed: sent again, both are one message.
    client.message('hello', { message_id: 'm1' });
    await client.final('m1');
    expect(cluster.agent.turns.map(({ turn }) => turn.message_id)).toEqual(['m1']);
  });
});
