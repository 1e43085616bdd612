import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sleep } from '@sluice/runtime';
import { type GatewayProcess, startRedis } from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';
import { scrape } from '../support/cluster/metric-samples.js';

const PARTITIONS = 64;
const SECONDS = 4;

describe('a node that has nothing to do', () => {
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeAll(async () => {
    cluster = await Cluster.open(await startRedis());
    node = await cluster.start();
  });
  afterAll(() => cluster.stop());

  it('T7 looks at each partition every 1 to 2 s, and writes nothing for it', async () => {
    const client = cluster.redis.client();
    const sweeps = async () =>
      (await scrape(node.url)).sum('sluice_redis_call_seconds_count', { call: 'pending-sweep' });
    await sleep(1_000);
    const before = await sweeps();
    await client.config('RESETSTAT');
    await sleep(SECONDS * 1_000);
    const looks = ((await sweeps()) - before) / PARTITIONS;
    expect(looks).toBeGreaterThanOrEqual(1);
    expect(looks).toBeLessThanOrEqual(SECONDS + 1);
    const stats = await client.info('commandstats');
    const calls = (command: string) =>
      Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
    expect(calls('zrangebyscore')).toBeGreaterThan(PARTITIONS);
    expect(calls('set')).toBeLessThan(PARTITIONS / 2); // those of BullMQ, once a second
  }, 20_000);
});
