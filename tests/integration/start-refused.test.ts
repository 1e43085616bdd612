import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { GatewayFailed, httpBehaviours, startRedis, type TestRedis } from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';

describe('a node that cannot bind its port', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  beforeAll(async () => {
    redis = await startRedis();
    cluster = await Cluster.open(redis);
    cluster.agent.behave(httpBehaviours.hang());
  });
  afterAll(() => cluster.stop());

  it.each(['port', 'admin_port'])(
    'T7 takes no session and leaves no beat: its %s is taken',
    async (key) => {
      const edge = await cluster.start({ gateway: { roles: ['edge'] } });
      const client = await cluster.attach(edge, { session_id: key });
      client.message('waits for a worker', { message_id: 'm1' });
      await client.waitFor({ status: 'accepted' });
      const gateway = { [key]: Number(new URL(edge.url).port), node_id: 'refused' };
      await expect(cluster.start({ gateway })).rejects.toBeInstanceOf(GatewayFailed);
      const { state } = cluster.sessionKeys(key);
      const stored = redis.client();
      expect(await stored.hget(cluster.keys.nodes, 'refused')).toBeNull();
      expect(await stored.hmget(state, 'token', 'attempt')).toEqual([null, null]);
      expect(cluster.agent.turns).toEqual([]);
      await edge.kill();
    },
  );
});
