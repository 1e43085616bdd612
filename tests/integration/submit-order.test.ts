import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type GatewayProcess, httpBehaviours, startRedis, type TestRedis } from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';

const ROUNDS = 30;

describe('messages of one connection', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeAll(async () => {
    redis = await startRedis({ args: ['--appendfsync', 'no'] });
    cluster = await Cluster.open(redis);
    cluster.agent.behave(httpBehaviours.delayMs(0));
    node = await cluster.start();
  });
  afterAll(() => cluster.stop());

  it('T1 are accepted in the order in which they were sent, also when Redis has lost its scripts', async () => {
    const ids = Array.from({ length: 8 }, (_, i) => `m${i}`);
    for (let round = 0; round < ROUNDS; round++) {
      const client = await cluster.attach(node, { session_id: `order-${round}` });
      await redis.client().script('FLUSH');
      for (const id of ids) {
        client.message(`text ${id}`, { message_id: id });
        // Not all in one read of the node: some must come while the first call is being sent again.
        await setImmediate();
      }
      const accepted = await client.collect(ids.length, ({ status }) => status === 'accepted');
      expect(accepted.map(({ message_id }) => message_id)).toEqual(ids);
      expect(accepted.map(({ durability }) => durability)).toEqual(ids.map(() => 'memory'));
      client.close();
    }
  });
});
