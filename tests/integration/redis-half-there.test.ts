import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  eventually,
  type GatewayProcess,
  httpBehaviours,
  startRedis,
  startTcpProxy,
  type TcpProxy,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';

/** All connections and all refusals: tests/long/redis-half-there.test.ts. */
describe('a Redis that is half there', () => {
  let redis: TestRedis;
  let proxy: TcpProxy;
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeAll(async () => {
    redis = await startRedis();
    proxy = await startTcpProxy(redis.port);
    cluster = await Cluster.open(redis, { redis: { url: proxy.url }, lease: { ttl: '8s' } });
    node = await cluster.start();
  });
  afterAll(async () => {
    await cluster.stop();
    await proxy.stop();
    await redis.stop();
  });
  const isReady = async () => (await fetch(`${node.url}/ready`)).status === 200;

  it('C3 E3 a subscriber that hears nothing any more is replaced, and what it missed is read', async () => {
    const client = await cluster.attach(node, { session_id: 'hears' });
    await client.final(client.message('before'));
    proxy.abandon('subscriber');
    const missed = client.message('in between');
    await eventually(async () => !(await isReady()), 4_000);
    await eventually(isReady, 8_000);
    await client.final(missed);
    await client.final(client.message('after'));
  }, 20_000);

  it('C3 L4 a Redis that takes no writes for 3 s is waited for, its words are logged, and a reply is kept', async () => {
    cluster.agent.behave(httpBehaviours.delayMs(500));
    const client = await cluster.attach(node, { session_id: 'writes' });
    const id = client.message('a turn under it');
    await eventually(() => cluster.agent.turns.some(({ turn }) => turn.message_id === id));
    const admin = redis.client();
    await admin.config('SET', 'min-replicas-to-write', 1);
    const told = node.waitForLog(({ why }) => /^NOREPLICAS/.test(`${why}`));
    await eventually(async () => !(await isReady()), 4_000);
    expect(await told).toMatchObject({ level: 'warn', connection: 'commands' });
    client.message('refused', { message_id: 'refused' });
    expect(await client.waitFor({ type: 'error', message_id: 'refused' })).toMatchObject({
      code: 'unavailable',
      retryable: true,
      message: expect.not.stringContaining('does not answer'),
    });
    await admin.config('SET', 'min-replicas-to-write', 0);
    await client.final(id, 8_000);
    await eventually(isReady, 5_000);
    const runs = cluster.agent.turns.filter(({ turn }) => turn.message_id === id);
    expect(runs).toHaveLength(1);
  }, 20_000);
});
