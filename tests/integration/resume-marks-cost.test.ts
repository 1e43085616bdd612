import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type GatewayProcess, startRedis, type TestRedis } from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';

/** As many as `npm test` has time for; the suite tests/hostile has 2,000. */
const CONNECTIONS = 200;

describe('a session with many connections that track no cursor', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  let node: GatewayProcess;
  let stored: ReturnType<TestRedis['client']>;
  beforeAll(async () => {
    redis = await startRedis();
    cluster = await Cluster.open(redis);
    node = await cluster.start();
    stored = redis.client();
  });
  afterAll(() => cluster.stop());

  const open = () => cluster.attach(node, { session_id: 'many', since: undefined });
  async function published(): Promise<number> {
    const stats = await stored.info('commandstats');
    return Number(/cmdstat_publish:calls=(\d+)/.exec(stats)?.[1] ?? 0);
  }
  async function marks(): Promise<string[]> {
    const fields = await stored.hkeys(cluster.sessionKeys('many').state);
    return fields.filter((name) => name.startsWith('mark:'));
  }

  it('B1 E10 has one mark for each node, and a hello costs no publication for each of them', async () => {
    const clients = await Promise.all(Array.from({ length: CONNECTIONS }, open));
    const [first] = clients;
    await first?.final(first.message('hello'));
    expect(await marks()).toHaveLength(1);
    const before = await published();
    const late = await open();
    expect((await published()) - before).toBeLessThan(10);
    for (const client of clients) client.cut();
    await late.final(late.message('missed by those'));
    late.cut();
    // Events that the first ones to leave had not seen are replayed, and their marks are gone then.
    const back = await open();
    await back.collect(1, { type: 'replay' });
    expect(await marks()).toHaveLength(1);
  });
});
