import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  eventually,
  FrameClient,
  httpBehaviours,
  startRedis,
  startTcpProxy,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';
import { EventStream } from '../support/cluster/event-stream.js';
import { Follower, type Transport } from '../support/cluster/follower.js';

const ageMs = 2_000;
const aged = { gateway: { max_connection_age: `${ageMs}ms` } };
const going = { type: 'going_away' };

describe('connections that are as old as max_connection_age', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  beforeAll(async () => {
    redis = await startRedis({ args: ['--appendfsync', 'no'] });
  });
  beforeEach(async () => {
    cluster = await Cluster.open(redis);
  });
  afterEach(() => cluster.stop());

  it('D6 get going_away and are closed, each at its own time; with 0 they stay', async () => {
    const node = await cluster.start(aged);
    const other = await cluster.start({ gateway: { max_connection_age: 0 } });
    const staying = await cluster.attach(other, { session_id: 'staying' });
    const moved = await Promise.all(
      Array.from({ length: 40 }, async (_, at) => {
        const openedMs = performance.now();
        const client = await cluster.attach(node, { session_id: `s${at}` });
        const told = await client.waitFor(going, 4 * ageMs);
        const toldMs = performance.now() - openedMs;
        const id = client.message('still here');
        const accepted = await client.waitFor({ status: 'accepted', message_id: id }, 3_000);
        const closed = await client.closed;
        return { toldMs, told, accepted, closed, at };
      }),
    );

    for (const { told, closed, at } of moved) {
      expect(told).toMatchObject({ reason: 'rebalance', session_id: `s${at}` });
      expect(Number(told.reconnect_after_ms)).toBeGreaterThanOrEqual(100);
      expect(closed).toEqual({ code: 1012, reason: 'service_restart' });
    }
    const ages = moved.map(({ toldMs }) => toldMs).sort((a, b) => a - b);
    expect(ages[0]).toBeGreaterThanOrEqual(0.9 * ageMs);
    expect(ages.at(-1)).toBeLessThan(2 * ageMs);
    // Spread evenly over a fifth of the age: 40 draws do not all fall into half of it.
    expect(Number(ages.at(-1)) - Number(ages[0])).toBeGreaterThan(0.1 * ageMs);
    expect(new Set(moved.map(({ told }) => told.reconnect_after_ms)).size).toBeGreaterThan(10);

    await staying.final(staying.message('me too'));
    expect(staying.frames.filter(({ type }) => type === 'going_away')).toEqual([]);
    // Messages of connections that were told to go are not lost.
    await eventually(() => cluster.agent.turns.length === moved.length + 1, 10_000);
    expect((await node.stop()).code).toBe(0);
  });

  it.each<Transport>(['WebSocket', 'Server-Sent Events'])(
    'D6 E3 over %s come back without a gap, in the middle of a reply',
    async (transport) => {
      const node = await cluster.start({ gateway: { max_connection_age: '500ms' } });
      const deltas = Array.from({ length: 40 }, (_, at) => `${at} `);
      cluster.agent.behave(httpBehaviours.stream({ format: 'ndjson', deltas, everyMs: 70 }));
      const sender = await FrameClient.connect(node.wsUrl);
      await sender.hello({ agent_id: 'slow', session_id: 's' });
      const id = sender.message('tell');
      await sender.waitFor({ status: 'accepted', message_id: id });

      const follower = new Follower(transport, 's');
      await follower.attach(node);
      let moves = 0;
      while (!follower.frames.some(({ status }) => status === 'final') && moves < 20) {
        await follower.attach(node);
        moves += 1;
      }
      const final = await follower.final(id);
      follower.close();
      expect(moves).toBeGreaterThanOrEqual(2);
      expect(final.content).toBe(deltas.join(''));
      expect(follower.shown(id)).toBe(final.content);
      expect(follower.gaps).toEqual([]);
      expect(cluster.agent.turns).toHaveLength(1);
    },
  );

  it('D6 a stream of events ends as an answer ends, and says when to come back', async () => {
    const node = await cluster.start(aged);
    const client = await cluster.attach(node, { session_id: 's' });
    await client.final(client.message('hello'));
    const stream = await EventStream.open(`${node.url}/v1/sessions/s/events`);
    const standing = stream.retryMs;
    const openedMs = performance.now();
    await stream.over;
    expect(performance.now() - openedMs).toBeGreaterThan(0.8 * ageMs);
    expect(stream.ended).toBe(true);
    expect(stream.retryMs).toBeGreaterThanOrEqual(100);
    expect(stream.retryMs).not.toBe(standing);
  });

  it('D6 S1 are not closed before what they sent is acknowledged', async () => {
    const proxy = await startTcpProxy(redis.port);
    const node = await cluster.start({ ...aged, redis: { url: proxy.url } });
    const client = await cluster.attach(node, { session_id: 's' });
    await client.waitFor(going, 4 * ageMs);
    // Longer than from `going_away` to the close.
    proxy.latency(700);
    const id = client.message('late');
    await client.waitFor({ status: 'accepted', message_id: id }, 10_000);
    proxy.latency(0);
    expect(await client.closed).toMatchObject({ code: 1012 });
  });
});
