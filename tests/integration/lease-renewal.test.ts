import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sleep } from '@sluice/runtime';
import {
  eventually,
  httpBehaviours,
  matchScript,
  startRedis,
  startTcpProxy,
  type TcpProxy,
} from '@sluice/testkit';
import { leaseRenew } from '../../packages/store/dist/script/scripts.js';
import { Cluster } from '../support/cluster/cluster.js';

const isRenewal = matchScript(leaseRenew.source);

describe('a lease whose renewal fails', () => {
  let cluster: Cluster;
  let proxy: TcpProxy;
  beforeAll(async () => {
    const redis = await startRedis();
    proxy = await startTcpProxy(redis.port);
    cluster = await Cluster.open(redis, { lease: { ttl: '2s' } });
  });
  afterAll(() => cluster.stop());

  it('L1 is renewed as soon as Redis is back, not when the next renewal is due', async () => {
    const node = await cluster.start({ redis: { url: proxy.url } });
    cluster.agent.behave(httpBehaviours.delayMs(4_000));
    const client = await cluster.attach(node, { session_id: 's' });
    client.message('long', { message_id: 'long' });
    await eventually(() => cluster.agent.turns.length === 1);

    // Renewals are due every 667 ms, and the lease is trusted for 1.8 s. An outage that ends 1.4 s after the last
    // renewal leaves time for one more try, but the next regular one is due after 2 s.
    let renewals = 0;
    const unwatch = proxy.watch((request) => {
      if (isRenewal(request)) renewals += 1;
    });
    await eventually(() => renewals === 2, 5_000);
    unwatch();
    await sleep(150);
    await proxy.refuse(true);
    proxy.cutAll();
    await sleep(900);
    await proxy.refuse(false);

    await client.waitFor({ status: 'final', message_id: 'long' }, 10_000);
    expect(node.logs.filter(({ msg }) => msg === 'lease lost')).toEqual([]);
    expect(cluster.agent.turns.map(({ turn }) => turn.attempt)).toEqual([1]);
  });
});
