import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  eventually,
  type GatewayProcess,
  httpBehaviours,
  type SentinelServer,
  startSentinel,
  type TestSentinel,
} from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';

const isReady = async (node: GatewayProcess) => (await fetch(`${node.url}/ready`)).status === 200;
const CHANGED = 'another redis process answers: sessions get new epochs';

describe('redis.sentinel', () => {
  let redis: TestSentinel;
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeAll(async () => {
    redis = await startSentinel();
    cluster = await Cluster.open(redis, { lease: { ttl: '3s' } });
    cluster.agent.behave(httpBehaviours.delayMs(0));
    node = await cluster.start();
  }, 60_000);
  afterAll(() => cluster.stop());

  const changes = () => node.logs.filter(({ msg }) => msg === CHANGED);
  /** `/ready` is red meanwhile, and green within 15 s of another primary being writable; one line says so. */
  async function goesOn(before: SentinelServer, fault: () => Promise<unknown>): Promise<void> {
    const told = changes().length;
    let wasRed = false;
    const watch = setInterval(async () => {
      if (!(await isReady(node).catch(() => true))) wasRed = true;
    }, 50);
    await fault();
    const now = await redis.promoted(before);
    await eventually(() => changes().length === told + 1, 15_000);
    await eventually(() => isReady(node), 15_000);
    clearInterval(watch);
    expect(wasRed).toBe(true);
    expect(changes()).toHaveLength(told + 1);
    expect(changes().at(-1)).toMatchObject({
      level: 'warn',
      primary: `127.0.0.1:${now.port}`,
      before: `127.0.0.1:${before.port}`,
    });
    const client = await cluster.attach(node, { session_id: `after-${told}` });
    expect(await client.final(client.message('hello'))).toMatchObject({ status: 'final' });
    const named = await now.direct.client('LIST');
    for (const part of ['commands', 'bulk', 'subscriber', 'ring', 'blocking']) {
      expect(String(named)).toMatch(new RegExp(`name=sluice:\\S+:${part} `));
    }
  }

  /** No connection of a node leads to this server. */
  async function isLeft(server: SentinelServer): Promise<void> {
    expect(String(await server.direct.client('LIST'))).not.toMatch(/name=sluice:/);
  }

  it('C3 C1 the primary is killed: nodes go on with the one that the sentinels name', async () => {
    const before = await redis.primary();
    await goesOn(before, () => redis.killPrimary());
    await before.start();
    await redis.settled();
  }, 90_000);

  it('C3 a failover is ordered: the demoted primary is left by every connection', async () => {
    const before = await redis.primary();
    await goesOn(before, () => redis.failover());
    await isLeft(before);
    await redis.settled();
  }, 90_000);

  it('C3 the primary stands still and comes back as a replica: nothing is written to it', async () => {
    const before = await redis.primary();
    await goesOn(before, () => redis.pausePrimary());
    await before.resume();
    await eventually(
      async () => /role:slave/.test(await before.direct.info('replication')),
      20_000,
    );
    await redis.settled();
    await isLeft(before);
    const client = await cluster.attach(node, { session_id: 'after-it-came-back' });
    await client.final(client.message('hello'));
    expect(await isReady(node)).toBe(true);
  }, 90_000);
});
