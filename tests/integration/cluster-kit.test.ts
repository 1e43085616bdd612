import { describe, expect, it } from '@jest/globals';
import { slotOf, startRedisCluster } from '@sluice/testkit';

describe('a Redis Cluster of the testkit', () => {
  it('moves slots with their keys, and goes on when a master is lost', async () => {
    const cluster = await startRedisCluster({ replicas: 1 });
    const client = cluster.client();
    for (let n = 0; n < 250; n++) await client.set(`{a}${n}`, n);
    const before = await cluster.masterOf('{a}');
    const to = cluster.nodes.slice(0, 3).find(({ id }) => id !== before.id) ?? before;
    await cluster.moveSlots([slotOf('{a}')], to);
    await cluster.settled();
    expect((await cluster.masterOf('{a}')).id).toBe(to.id);
    expect(await client.get('{a}249')).toBe('249');
    await to.stop('SIGKILL');
    await cluster.settled();
    expect((await cluster.masterOf('{a}')).replicaOf).toBeDefined();
    expect(await client.get('{a}249')).toBe('249');
  });
});
