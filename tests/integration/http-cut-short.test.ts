import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  type Cut,
  eventually,
  type GatewayProcess,
  startRedis,
  startTcpProxy,
  type TcpProxy,
} from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';
import { EventStream } from '../support/cluster/event-stream.js';

const nameIs = (wanted: string, name = '') => name.toUpperCase() === wanted;

describe('requests that lose Redis half-way', () => {
  let cluster: Cluster;
  let proxy: TcpProxy;
  let node: GatewayProcess;
  beforeAll(async () => {
    const redis = await startRedis();
    proxy = await startTcpProxy(redis.port);
    cluster = await Cluster.open(redis);
    node = await cluster.start({ redis: { url: proxy.url }, gateway: { drain_timeout: '60s' } });
    const client = await cluster.attach(node, { session_id: 's' });
    await client.final(client.message('one'));
    await client.close();
    await eventually(async () => expect(await readHere()).toBe(0));
  });
  beforeEach(async () => {
    await eventually(async () => (await fetch(`${node.url}/ready`)).ok);
  });
  afterAll(() => cluster.stop());

  const readHere = async () => Object(await (await fetch(`${node.url}/info`)).json()).sessions;
  const waitForReply = () =>
    fetch(`${node.url}/v1/sessions/s/messages?wait=30`, {
      method: 'POST',
      body: '{"content":"x"}',
    });

  /** Breaks the connection when the place of the log is asked for, which is after the subscription. */
  function cutBehindSubscription(): Cut {
    let isSubscribed = false;
    const unwatch = proxy.watch(([name]) => {
      isSubscribed ||= nameIs('SUBSCRIBE', name);
    });
    const cut = proxy.cutRequest(([name]) => isSubscribed && nameIs('HMGET', name));
    void cut.done.then(unwatch);
    return cut;
  }

  it('C3 C4 a stream of events breaks off and leaves nothing behind', async () => {
    const cut = cutBehindSubscription();
    const stream = await EventStream.open(`${node.url}/v1/sessions/s/events`);
    await cut.done;
    await stream.over;
    expect(stream.ended).toBe(false);
    await eventually(async () => expect(await readHere()).toBe(0));
    expect(node.logs.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('C3 C4 a request that was to wait leaves nothing behind', async () => {
    const cut = proxy.cutRequest(([name]) => nameIs('HMGET', name)); // the place in the log
    const { status } = await waitForReply();
    expect(status).toBe(503);
    await cut.done;
    await eventually(async () => expect(await readHere()).toBe(0));
    expect(cluster.agent.turns).toHaveLength(1);
  });

  it('C3 D7 a drain does not wait for a request that got no subscription', async () => {
    const cut = proxy.cutRequest(([name]) => nameIs('SUBSCRIBE', name), 1_000_000);
    const { status } = await waitForReply();
    expect(status).toBe(503);
    cut.cancel();
    const { code, ms } = await node.stop();
    expect(code).toBe(0);
    expect(ms).toBeLessThan(15_000);
  });
});
