import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { sleep } from '@sluice/runtime';
import {
  eventually,
  type GatewayProcess,
  httpBehaviours,
  startRedis,
  startTcpProxy,
  type TcpProxy,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';
import { Sender } from '../support/cluster/steady-load.js';

const SWEEP_MS = 500;
const names = (count: number) => Array.from({ length: count }, (_, i) => `s${i + 1}`);

describe('under load', () => {
  let redis: TestRedis;
  let proxy: TcpProxy;
  let cluster: Cluster;
  let nodes: GatewayProcess[];
  let senders: Sender[];

  beforeEach(async () => {
    redis = await startRedis({ args: ['--maxmemory-policy', 'noeviction'] });
    proxy = await startTcpProxy(redis.port);
    cluster = await Cluster.open(redis, {
      redis: { url: proxy.url },
      lease: { ttl: '3s' },
      worker: { sweep_interval: `${SWEEP_MS}ms` },
    });
    cluster.agent.behave(httpBehaviours.delayMs(50));
    nodes = [await cluster.start(), await cluster.start()];
  });
  afterEach(async () => {
    await Promise.all(senders.map((sender) => sender.settle(0)));
    await cluster.stop();
    await proxy.stop();
    await redis.stop();
  });

  async function load(count: number) {
    senders = names(count).map((name) => new Sender(name, () => nodes));
    await eventually(() => senders.every(({ events }) => events.length > 4), 10_000);
  }
  const accepted = () => senders.reduce((sum, it) => sum + it.acknowledged.size, 0);
  const faults = async () => (await Promise.all(senders.map((it) => it.settle()))).flat();
  const errors = () => senders.flatMap((it) => it.errors.map(({ code }) => code));
  /** Waits until every sender has got new events since this call. */
  async function goesOn(ms = 10_000) {
    const before = senders.map(({ events }) => events.length);
    await eventually(() => senders.every((it, i) => it.events.length > (before[i] ?? 0) + 4), ms);
  }
  const lostLeases = () =>
    nodes.flatMap(({ logs }) => logs.filter(({ msg }) => msg === 'lease lost'));

  it('C3 S2 T1 E2 Redis is restarted with its append-only file: nothing acknowledged is lost, nobody resyncs', async () => {
    await load(6);
    for (let i = 0; i < 2; i += 1) {
      await redis.restart();
      await goesOn();
    }
    expect(await faults()).toEqual([]);
    expect(senders.flatMap((it) => it.resyncs)).toEqual([]);
    expect(new Set(errors())).not.toContain('internal');
    expect(senders.flatMap((it) => it.errors).filter((it) => it.retryable !== true)).toEqual([]);
    expect(accepted()).toBeGreaterThan(40);
  }, 60_000);

  it('C3 Redis is out of memory: refused and retryable, and everything goes on afterwards', async () => {
    await load(4);
    const client = redis.client();
    // The senders may all wait for replies, which no worker can write now: they send nothing then.
    const asking = await cluster.attach(nodes[0] as GatewayProcess, { session_id: 'asking' });
    await client.config('SET', 'maxmemory', 1);
    asking.message('is there room?', { message_id: 'room' });
    await asking.waitFor({ type: 'error', code: 'unavailable' });
    await asking.close();
    await sleep(1_000);
    const refused = senders.flatMap((it) => it.errors);
    expect(refused.every(({ retryable }) => retryable === true)).toBe(true);
    for (const node of nodes) expect((await fetch(`${node.url}/live`)).status).toBe(200);
    await client.config('SET', 'maxmemory', 0);
    await goesOn();
    expect(await faults()).toEqual([]);
    expect(nodes.flatMap(({ logs }) => logs.filter(({ level }) => level === 'fatal'))).toEqual([]);
  }, 60_000);

  it('T7 the keys of BullMQ are deleted: sessions are served within their bounds, and new ones at once', async () => {
    await load(4);
    const client = redis.client();
    for (let i = 0; i < 3; i += 1) {
      const keys = await client.keys(`${cluster.keys.ringPrefix}*`);
      if (keys.length > 0) await client.del(keys);
      const fresh = `fresh-${i}`;
      const reader = await cluster.attach(nodes[i % 2] as GatewayProcess, { session_id: fresh });
      const sentMs = performance.now();
      await reader.final(reader.message('are you there?'), 8_000);
      expect(performance.now() - sentMs).toBeLessThan(3_000 + SWEEP_MS);
      await goesOn(3_000 + SWEEP_MS);
    }
    expect(await faults()).toEqual([]);
    expect(errors()).toEqual([]);
  }, 60_000);

  it('T7 a ring that was lost with its queue is drawn again within 3 s and a sweep', async () => {
    await load(0);
    // Nobody takes rings: accepted messages wait, with their rings in the queue.
    const [first, second] = nodes as [GatewayProcess, GatewayProcess];
    for (const node of nodes) node.signal('SIGSTOP');
    const edge = await cluster.start({ gateway: { roles: ['edge'] } });
    const reader = await cluster.attach(edge, { session_id: 'lost' });
    const id = reader.message('hello');
    await reader.waitFor({ status: 'accepted', message_id: id });
    const acceptedMs = performance.now();
    const client = redis.client();
    await eventually(
      async () => (await client.keys(`${cluster.keys.ringPrefix}:ring:r-*`)).length > 0,
    );
    await client.del(await client.keys(`${cluster.keys.ringPrefix}*`));
    for (const node of [first, second]) node.signal('SIGCONT');
    await reader.final(id, 8_000);
    expect(performance.now() - acceptedMs).toBeLessThan(3_000 + SWEEP_MS);
  }, 30_000);

  it('E3 the publish/subscribe connections are cut again and again: nobody misses an event', async () => {
    await load(6);
    for (let i = 0; i < 5; i += 1) {
      await redis.client().call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await goesOn();
    }
    expect(await faults()).toEqual([]);
    expect(errors()).toEqual([]);
    expect(lostLeases()).toEqual([]);
  }, 60_000);

  it('L1 L4 200 ms of latency on every reply for 20 s: no lease is lost, no error is seen', async () => {
    await load(6);
    const before = accepted();
    proxy.latency(200);
    await sleep(20_000);
    proxy.latency(0);
    expect(accepted()).toBeGreaterThan(before + 20);
    expect(await faults()).toEqual([]);
    expect(errors()).toEqual([]);
    expect(lostLeases()).toEqual([]);
    expect(cluster.agent.turns.filter(({ turn }) => turn.attempt > 1)).toEqual([]);
  }, 60_000);
});
