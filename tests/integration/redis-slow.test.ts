import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startRedis, startTcpProxy, type TcpProxy, type TestRedis } from '@sluice/testkit';
import * as scripts from '../../packages/store/dist/script/scripts.js';
import { Cluster } from '../support/cluster/cluster.js';
import { ringsOf, waitingRing } from '../support/cluster/rings.js';

describe('a Redis that is slow for a moment', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  let proxy: TcpProxy;
  beforeAll(async () => {
    redis = await startRedis();
    cluster = await Cluster.open(redis, { lease: { ttl: '20s' } });
    proxy = await startTcpProxy(redis.port);
  });
  afterAll(() => cluster.stop());

  it.each([
    ['turn-begin', scripts.turnBegin],
    ['session-peek', scripts.sessionPeek],
  ])(
    'D5 L1 costs a session that is taken over that moment, and no TTL: in %s',
    async (name, script) => {
      const edge = await cluster.start({ gateway: { roles: ['edge'] } });
      const client = await cluster.attach(edge, { session_id: name });
      const final = client.final(client.message('hello'), 20_000);
      const ring = await waitingRing(ringsOf(redis, cluster));
      if (name === 'session-peek')
        await ring.updateData({ id: ring.data.id, ring: ring.data.ring });
      let heldMs = 0;
      const unwatch = proxy.watch(([, sha]) => {
        if (sha !== script.sha || heldMs > 0) return;
        heldMs = performance.now();
        proxy.blackhole(true);
        // Longer than a command may take.
        setTimeout(() => proxy.blackhole(false), 2_300);
      });
      const worker = await cluster.start({
        gateway: { roles: ['worker'] },
        redis: { url: proxy.url },
        worker: { sweep_interval: '60s' }, // which would find the session soon after that moment
      });
      await final;
      expect(heldMs).toBeGreaterThan(0);
      expect(performance.now() - heldMs).toBeLessThan(2_300 + 4_000);
      unwatch();
      await Promise.all([edge.kill(), worker.kill()]);
    },
  );
});
