import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  eventually,
  handOversIn,
  startRedis,
  startTcpProxy,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';

describe('a node that drains its only session', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  beforeAll(async () => {
    redis = await startRedis({ args: ['--appendfsync', 'no'] });
  });
  beforeEach(async () => {
    cluster = await Cluster.open(redis, {
      // Its clients leave before its turn ends, so that the turn is the last thing in the drain.
      gateway: { close_spread: '100ms' },
      lease: { ttl: '20s' },
      log: { level: 'debug' },
    });
  });
  afterEach(() => cluster.stop());

  it('D5 does not take the ring that is meant for the next node, and then end', async () => {
    const proxy = await startTcpProxy(redis.port);
    const node = await cluster.start({ redis: { url: proxy.url } });
    let speak = () => {};
    const spoken = new Promise<void>((resolve) => {
      speak = resolve;
    });
    cluster.agent.behave(async (_turn, { respond }) => {
      await spoken;
      respond.json({ content: 'done' });
    });
    const client = await cluster.attach(node, { session_id: 's' });
    const ids = [client.message('one'), client.message('two')];
    await client.waitFor({ status: 'accepted', message_id: ids[1] });
    await eventually(() => cluster.agent.turns.length === 1);

    // The draining node has waited for rings longer than the other one: it would get the next ring, which is its own.
    const heir = await cluster.start();
    node.signal('SIGTERM');
    await eventually(async () => {
      const info = await fetch(`${heir.url}/info`);
      expect(await info.json()).toMatchObject({ live_workers: 1 });
    });
    proxy.latency(50);
    await client.closed;
    speak();
    expect(await node.exited).toMatchObject({ code: 0 });
    await eventually(async () => (await cluster.inbox('s')).length === 0, 10_000);
    const pauses = handOversIn(heir.logs).map(({ pauseMs }) => pauseMs);
    expect(pauses).toHaveLength(1);
    expect(pauses[0]).toBeLessThan(1_000);
  });
});
