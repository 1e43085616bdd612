import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sleep } from '@sluice/runtime';
import { sessionKeyId } from '@sluice/store';
import {
  eventually,
  type FrameClient,
  type GatewayProcess,
  gaps,
  httpBehaviours,
  startRedis,
  startTcpProxy,
  type TestRedis,
} from '@sluice/testkit';
import {
  leaseRenew,
  leasesRelease,
  leasesRenew,
} from '../../packages/store/dist/script/scripts.js';
import { Cluster } from '../support/cluster/cluster.js';

/** Longer than every wait in these tests, so that a test fails if it needs an expired lease or the sweep. */
const LONG = '60s';
const TTL_MS = 1_500;

describe('a lingering lease', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  let client: ReturnType<TestRedis['client']>;

  beforeAll(async () => {
    redis = await startRedis({ args: ['--appendfsync', 'no'] });
    client = redis.client();
  });
  beforeEach(async () => {
    cluster = await Cluster.open(redis, {
      gateway: { drain_timeout: '5s' },
      lease: { ttl: LONG, linger: LONG },
      worker: { sweep_interval: LONG },
      agents: {},
    });
  });
  afterEach(() => cluster.stop());

  /** Accepts messages and runs no turns; outlives the workers. */
  const startEdge = () => cluster.start({ gateway: { roles: ['edge'] } });
  const startWorker = (config: Record<string, object> = {}) =>
    cluster.start({ ...config, gateway: { roles: ['worker'] } });
  const stateOf = (sessionId: string) =>
    cluster.keys.session(sessionKeyId('local', sessionId)).state;
  const holder = (sessionId: string) => client.hget(stateOf(sessionId), 'holder');
  const held = (sessionId: string) => eventually(async () => (await holder(sessionId)) !== null);
  const released = (sessionId: string) =>
    eventually(async () => (await holder(sessionId)) === null);
  const idle = async (sessionId: string) =>
    (await client.hexists(stateOf(sessionId), 'batch')) === 0;
  const fenceOf = (messageId: string) => {
    const turns = cluster.agent.turns.filter(({ turn }) => turn.message_id === messageId);
    expect(turns).toHaveLength(1);
    return Number(turns[0]?.turn.fence);
  };
  /** A session whose lease lingers on a worker after `m1`. */
  async function lingering(edge: GatewayProcess, sessionId: string): Promise<FrameClient> {
    const socket = await cluster.attach(edge, { session_id: sessionId });
    const id = socket.message('first', { message_id: `${sessionId}-1` });
    await socket.final(id);
    await eventually(() => idle(sessionId));
    return socket;
  }
  /** Sends the second message; returns the milliseconds until its reply. */
  async function second(socket: FrameClient, sessionId: string, ms = 10_000): Promise<number> {
    const sentMs = performance.now();
    const id = socket.message('second', { message_id: `${sessionId}-2` });
    expect(await socket.final(id, ms)).toMatchObject({ outcome: { status: 'ok' } });
    expect(gaps(socket.logged())).toEqual([]);
    return performance.now() - sentMs;
  }

  it('T7 L1 serves the next message under the same fence, and draws no ring', async () => {
    const edge = await startEdge();
    const worker = await startWorker();
    const socket = await lingering(edge, 's');
    expect(await holder('s')).toBe(worker.nodeId);
    const ring = await client.hget(stateOf('s'), 'ring');
    await second(socket, 's');
    expect(fenceOf('s-2')).toBe(fenceOf('s-1'));
    expect(await client.hget(stateOf('s'), 'ring')).toBe(ring);
  });

  it('T7 is given up when its time is over', async () => {
    const edge = await startEdge();
    await startWorker({ lease: { linger: '50ms' } });
    const socket = await lingering(edge, 's');
    await released('s');
    expect(await client.exists(cluster.keys.session(sessionKeyId('local', 's')).lease)).toBe(0);
    await second(socket, 's');
    expect(fenceOf('s-2')).toBeGreaterThan(fenceOf('s-1'));
  });

  it('T7 goes on with a message that comes before its release reaches Redis', async () => {
    const proxy = await startTcpProxy(redis.port);
    const edge = await startEdge();
    await startWorker({ redis: { url: proxy.url }, lease: { linger: '400ms' } });
    const socket = await lingering(edge, 's');
    await held('s');
    const sent: string[] = [];
    proxy.watch(([, sha]) => sent.push(sha ?? ''));
    proxy.blackhole(true);
    const answered = second(socket, 's');
    // The linger is over and the wake was not heard: the release is on its way, after the message.
    await sleep(600);
    expect(await holder('s')).not.toBeNull();
    proxy.blackhole(false);
    await answered;
    expect(sent).toContain(leasesRelease.sha);
    expect(fenceOf('s-2')).toBe(fenceOf('s-1'));
  });

  it('T7 leaves a message that comes after its release to a ring, although it does not know yet', async () => {
    const proxy = await startTcpProxy(redis.port);
    const edge = await startEdge();
    const worker = await startWorker({ redis: { url: proxy.url }, lease: { linger: '300ms' } });
    const socket = await lingering(edge, 's');
    proxy.latency(400);
    await released('s'); // in Redis; the reply is under way
    const answered = second(socket, 's');
    await sleep(100);
    proxy.latency(0);
    await answered;
    expect(fenceOf('s-2')).toBeGreaterThan(fenceOf('s-1'));
    expect(worker.logs.filter(({ level }) => level === 'error')).toEqual([]);
  });

  /** Eight conversations of 60 messages each; returns how many leases they took. */
  async function converse(pauseMs: (sent: number, n: number) => number): Promise<number> {
    const edge = await startEdge();
    const conversations = Array.from({ length: 8 }, async (_, n) => {
      const ids = Array.from({ length: 60 }, (_, sent) => `s${n}-${sent}`);
      const socket = await cluster.attach(edge, { session_id: `s${n}` });
      for (const [sent, message_id] of ids.entries()) {
        await socket.final(socket.message('x', { message_id }));
        const ms = pauseMs(sent, n);
        if (ms > 0) await sleep(ms);
      }
      const finals = socket.logged().filter(({ status }) => status === 'final');
      expect(finals.map(({ message_id }) => message_id)).toEqual(ids);
      expect(gaps(socket.logged())).toEqual([]);
    });
    await Promise.all(conversations);
    const { turns } = cluster.agent;
    expect(turns).toHaveLength(480);
    return new Set(turns.map(({ turn }) => `${turn.session_id} ${turn.fence}`)).size;
  }

  it('T7 S2 meets every message of conversations that pause for about as long as it lingers', async () => {
    await startWorker({ lease: { linger: '3ms' } });
    // Pauses from none to longer than the linger.
    const leases = await converse((sent, n) => (sent % 4 > 0 ? ((sent * 7 + n) % 12) * 0.7 : 0));
    // Both happened often: lingering sessions were woken, and new leases were taken.
    expect(leases).toBeGreaterThan(20);
    expect(leases).toBeLessThan(460);
  }, 60_000);

  it('T7 S2 hears every wake of conversations that never pause, also before it knows that it is idle', async () => {
    await startWorker();
    expect(await converse(() => 0)).toBe(8);
  }, 60_000);

  it('C1 T7 of a killed node keeps nobody waiting: the next message rings at once', async () => {
    const edge = await startEdge();
    const worker = await startWorker();
    const socket = await lingering(edge, 's');
    await startWorker();
    await worker.kill();
    expect(await holder('s')).toBe(worker.nodeId);
    await second(socket, 's');
    expect(fenceOf('s-2')).toBeGreaterThan(fenceOf('s-1'));
  });

  it('C1 T7 of a node that dies with the wake in its ears is taken over after its TTL', async () => {
    const short = { lease: { ttl: `${TTL_MS}ms` }, worker: { sweep_interval: '200ms' } };
    const edge = await startEdge();
    const worker = await startWorker(short);
    const socket = await lingering(edge, 's');
    await startWorker(short);
    worker.signal('SIGSTOP'); // it stays subscribed, so the wake counts as heard
    const answered = second(socket, 's', TTL_MS + 8_000);
    await socket.waitFor({ status: 'accepted', message_id: 's-2' });
    await worker.kill();
    await answered;
    expect(fenceOf('s-2')).toBeGreaterThan(fenceOf('s-1'));
  });

  it('C1 L3 of a node that was stopped does not disturb who came after it', async () => {
    const short = { lease: { ttl: `${TTL_MS}ms` }, worker: { sweep_interval: '200ms' } };
    const edge = await startEdge();
    const worker = await startWorker(short);
    const socket = await lingering(edge, 's');
    const next = await startWorker(short);
    worker.signal('SIGSTOP');
    await second(socket, 's', TTL_MS + 8_000);
    worker.signal('SIGCONT');
    await worker.waitForLog(({ msg }) => msg === 'lease lost', 10_000);
    const third = socket.message('third', { message_id: 's-3' });
    await socket.final(third);
    expect(fenceOf('s-3')).toBe(fenceOf('s-2'));
    expect(await holder('s')).toBe(next.nodeId);
    expect(socket.logged().filter(({ status }) => status === 'final')).toHaveLength(3);
  });

  it('D5 is given up at once on SIGTERM, and others serve what comes', async () => {
    const edge = await startEdge();
    const worker = await startWorker();
    const socket = await lingering(edge, 's');
    await startWorker();
    worker.signal('SIGTERM');
    await released('s');
    await second(socket, 's');
    expect(fenceOf('s-2')).toBeGreaterThan(fenceOf('s-1'));
    const exit = await worker.exited;
    expect(exit).toMatchObject({ code: 0 });
    expect(exit.ms).toBeLessThan(4_000); // it had nothing to wait for
  });

  it('D2 D8 loses no message that comes while it is being given up by a drain', async () => {
    const edge = await startEdge();
    const worker = await startWorker();
    const names = Array.from({ length: 12 }, (_, n) => `s${n}`);
    const sockets = await Promise.all(names.map((name) => lingering(edge, name)));
    await startWorker();
    worker.signal('SIGTERM');
    await Promise.all(
      sockets.map(async (socket, n) => {
        await sleep(n * 8); // from before the signal arrives until all leases are given up
        await second(socket, `s${n}`);
      }),
    );
    expect(await worker.exited).toMatchObject({ code: 0 });
    for (const name of names)
      expect(fenceOf(`${name}-2`)).toBeGreaterThanOrEqual(fenceOf(`${name}-1`));
  });

  it('D2 T7 of the last worker leaves what comes after it to the next one', async () => {
    const edge = await startEdge();
    const worker = await startWorker();
    const socket = await lingering(edge, 's');
    worker.signal('SIGTERM');
    expect(await worker.exited).toMatchObject({ code: 0 });
    expect(await holder('s')).toBeNull();
    const answered = second(socket, 's');
    await socket.waitFor({ status: 'accepted', message_id: 's-2' });
    await startWorker();
    await answered;
  });

  it('T7 that is woken without a free slot rings for another node', async () => {
    const edge = await startEdge();
    const worker = await startWorker({ worker: { concurrency: 1 } });
    const socket = await lingering(edge, 's');
    cluster.agent.behave(httpBehaviours.hang());
    const busy = await cluster.attach(edge, { session_id: 'busy' });
    busy.message('hold', { message_id: 'hold' });
    await eventually(() => cluster.agent.turns.some(({ turn }) => turn.message_id === 'hold'));
    expect(await holder('busy')).toBe(worker.nodeId);
    cluster.agent.behave(httpBehaviours.delayMs(0));
    const other = await startWorker();
    await second(socket, 's');
    expect(await holder('s')).toBe(other.nodeId);
    expect(fenceOf('s-2')).toBeGreaterThan(fenceOf('s-1'));
    expect(await idle('busy')).toBe(false);
    busy.send({ type: 'abort' });
    await busy.final('hold');
  });

  it('T7 that is woken without a free slot is served under its lease when its own node is the first to have one', async () => {
    const edge = await startEdge();
    await startWorker({ worker: { concurrency: 1 } });
    const socket = await lingering(edge, 's');
    cluster.agent.behave(httpBehaviours.hang());
    const busy = await cluster.attach(edge, { session_id: 'busy' });
    busy.message('hold', { message_id: 'hold' });
    await eventually(() => cluster.agent.turns.some(({ turn }) => turn.message_id === 'hold'));
    cluster.agent.behave(httpBehaviours.delayMs(0));
    const answered = second(socket, 's');
    await sleep(1_000); // looks for a slot elsewhere in vain
    busy.send({ type: 'abort' });
    await answered;
    expect(fenceOf('s-2')).toBe(fenceOf('s-1'));
  });

  it('B1 of more than max_lingering sessions the quietest is given up, and its messages are served', async () => {
    const edge = await startEdge();
    await startWorker({ lease: { max_lingering: 2 } });
    const names = ['s0', 's1', 's2', 's3', 's4'];
    const sockets = new Map<string, FrameClient>();
    for (const name of names) sockets.set(name, await lingering(edge, name));
    const holders = async () =>
      (await Promise.all(names.map(holder))).flatMap((node, n) => (node ? [names[n]] : []));
    await eventually(async () => (await holders()).length === 2);
    expect(await holders()).toEqual(['s3', 's4']);
    for (const name of ['s3', 's4', 's0']) {
      await second(sockets.get(name) as FrameClient, name);
      await eventually(async () => (await holders()).length === 2);
    }
    expect(await holders()).toEqual(['s0', 's4']);
    for (const name of ['s3', 's4']) expect(fenceOf(`${name}-2`)).toBe(fenceOf(`${name}-1`));
    expect(fenceOf('s0-2')).toBeGreaterThan(fenceOf('s0-1'));
  });

  it('T8 is given up after a turn once it is old, and the next message goes to whoever is free', async () => {
    const edge = await startEdge();
    await startWorker({ lease: { max_age: '400ms' } });
    const socket = await lingering(edge, 's');
    await sleep(600);
    expect(await holder('s')).not.toBeNull(); // its lease still lingers
    await second(socket, 's');
    expect(fenceOf('s-2')).toBe(fenceOf('s-1'));
    await released('s');
    const third = socket.message('third', { message_id: 's-3' });
    await socket.final(third);
    expect(fenceOf('s-3')).toBeGreaterThan(fenceOf('s-2'));
  });

  it('L1 of many sessions costs a call for each partition in a third of the TTL, and no other', async () => {
    const edge = await startEdge();
    const proxy = await startTcpProxy(redis.port);
    const short = { redis: { url: proxy.url }, lease: { ttl: '3s' } };
    await startWorker(short);
    const names = Array.from({ length: 30 }, (_, n) => `s${n}`);
    await Promise.all(names.map((name) => lingering(edge, name)));
    await sleep(1_500); // until they have been renewed together once
    const calls = new Map<string, number>();
    const unwatch = proxy.watch(([, sha = '']) => calls.set(sha, (calls.get(sha) ?? 0) + 1));
    await sleep(3_000);
    unwatch();
    const partitions = new Set(names.map((name) => stateOf(name).split('}')[0])).size;
    expect(calls.get(leaseRenew.sha) ?? 0).toBe(0);
    expect(calls.get(leasesRenew.sha)).toBeGreaterThanOrEqual(2 * partitions);
    expect(calls.get(leasesRenew.sha)).toBeLessThanOrEqual(4 * partitions);
    for (const name of names) expect(await holder(name)).not.toBeNull();
  });

  it('C1 L1 whose Redlock was lost is given up, and the next message rings', async () => {
    const edge = await startEdge();
    const worker = await startWorker({ lease: { ttl: '2s' } });
    const socket = await lingering(edge, 's');
    await client.del(cluster.keys.session(sessionKeyId('local', 's')).lease);
    await released('s');
    await second(socket, 's');
    expect(fenceOf('s-2')).toBeGreaterThan(fenceOf('s-1'));
    expect(worker.logs.filter(({ msg }) => msg === 'lease lost')).toEqual([]);
  });
});
