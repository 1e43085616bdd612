import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { FrameClient, type GatewayProcess, startRedis, type TestRedis } from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';

const CONNECTIONS = 4_000;
const SPREAD_MS = 2_000;

describe('a node with thousands of connections', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeAll(async () => {
    redis = await startRedis();
    cluster = await Cluster.open(redis, {
      gateway: { drain_timeout: '20s', close_spread: `${SPREAD_MS}ms` },
    });
    node = await cluster.start();
  });
  afterAll(() => cluster.stop());

  it('D6 D7 closes them over close_spread, and ends long before drain_timeout', async () => {
    for (let opened = 0; opened < CONNECTIONS; opened += 200) {
      await Promise.all(Array.from({ length: 200 }, () => FrameClient.connect(node.wsUrl)));
    }
    const clients = await Promise.all(
      Array.from({ length: 50 }, (_, i) => cluster.attach(node, { session_id: `s${i}` })),
    );
    const startMs = performance.now();
    node.signal('SIGTERM');
    const closedMs = clients.map(async ({ closed }) => {
      expect(await closed).toMatchObject({ code: 1012 });
      return performance.now() - startMs;
    });
    expect(await node.exited).toMatchObject({ code: 0 });
    const tookMs = performance.now() - startMs;
    // A timer of 1 ms per connection would take 4 s and more.
    expect(tookMs).toBeLessThan(SPREAD_MS + 1_500);
    // The connections that came last are closed last, near the end of the spread.
    expect(Math.min(...(await Promise.all(closedMs)))).toBeGreaterThan(SPREAD_MS * 0.9);
  });
});
