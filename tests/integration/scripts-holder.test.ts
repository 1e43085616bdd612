import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { makeKeys, sessionKeyId } from '@sluice/store';
import {
  eventually,
  FrameClient,
  type GatewayProcess,
  type HttpAgent,
  httpBehaviours,
  type RecordedTurn,
  startGateway,
  startHttpAgent,
  startRedis,
  startTcpProxy,
  type TcpProxy,
  type TestRedis,
} from '@sluice/testkit';
import type { Redis } from 'ioredis';
import { leaseRenew } from '../../packages/store/dist/scripts.js';
import { dump } from './scripts-world.js';

const TTL_MS = 1_000;

const streaming = httpBehaviours.stream({
  format: 'ndjson',
  deltas: Array.from({ length: 1_000 }, (_, n) => `word-${n} `),
  everyMs: 20,
});

describe('the holder of a lease', () => {
  let redis: TestRedis;
  let client: Redis;
  let proxy: TcpProxy;
  let agent: HttpAgent;
  const nodes: GatewayProcess[] = [];

  beforeAll(async () => {
    redis = await startRedis({ args: ['--appendfsync', 'no'] });
    client = redis.client();
    agent = await startHttpAgent();
  });
  beforeEach(async () => {
    await client.flushall();
    proxy = await startTcpProxy(redis.port);
  });
  afterAll(() => agent.close());
  afterEach(async () => {
    await Promise.all(nodes.splice(0).map((node) => node.kill()));
    await proxy.stop();
    agent.behave(httpBehaviours.delayMs(0));
  });

  async function start(redisUrl: string, ttlMs = TTL_MS, prefix = 'sluice') {
    const config = {
      redis: { prefix, partitions: 4 },
      lease: { ttl: `${ttlMs}ms`, linger: '0s' },
      agents: { slow: { kind: 'http', url: agent.url } },
    };
    const node = await startGateway({ redisUrl, config });
    nodes.push(node);
    return node;
  }
  async function attach(node: GatewayProcess, sessionId: string) {
    const socket = await FrameClient.connect(node.wsUrl);
    await socket.hello({ agent_id: 'slow', session_id: sessionId, since: 0 });
    return socket;
  }
  const turnsOf = (messageId: string): RecordedTurn[] =>
    agent.turns.filter(({ turn }) => turn.message_id === messageId);
  const isReady = async (node: GatewayProcess) => (await fetch(`${node.url}/ready`)).status === 200;

  /** What the session consists of once it is idle; marks and expiry belong to its readers. */
  async function stored(sessionId: string): Promise<[string, unknown][]> {
    const keys = makeKeys('sluice', 4).session(sessionKeyId('local', sessionId));
    await eventually(async () => (await client.exists(keys.lease)) === 0);
    const whole = await dump(client, 'sluice');
    const own = [keys.inbox, keys.events, keys.messages, keys.seen];
    const state = await client.hgetall(keys.state);
    const fields = Object.entries(state).filter(([field]) => !field.startsWith('mark:'));
    return [...own.map((key): [string, unknown] => [key, whole[key]?.split(' ')[0]]), ...fields];
  }

  /** When the renewals of the next `count` are sent, in ms. */
  async function renewals(node: () => Promise<GatewayProcess>, count: number): Promise<number[]> {
    const at: number[] = [];
    const stop = proxy.watch(([, sha]) => {
      if (sha === leaseRenew.sha) at.push(performance.now());
    });
    const socket = await attach(await node(), 's');
    socket.message('run');
    await eventually(() => at.length >= count, 15_000);
    stop();
    return at.slice(0, count);
  }
  const gaps = (at: number[]) => at.slice(1).map((ms, index) => ms - (at[index] ?? 0));
  const median = (all: number[]) => [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0;

  it('L1 renews at a third of the TTL', async () => {
    agent.behave(httpBehaviours.hang());
    const between = gaps(await renewals(() => start(proxy.url, 900), 9));
    expect(median(between)).toBeGreaterThan(270);
    expect(median(between)).toBeLessThan(360);
  });

  it('L1 renews every 2 s at the latest', async () => {
    agent.behave(httpBehaviours.hang());
    const between = gaps(await renewals(() => start(proxy.url, 20_000), 3));
    for (const ms of between) expect(ms).toBeGreaterThan(1_700);
    for (const ms of between) expect(ms).toBeLessThan(2_500);
  });

  it('L4 that cannot renew aborts its turn in time and writes nothing more', async () => {
    agent.behave(streaming);
    const cut = await start(proxy.url);
    const socket = await attach(cut, 's');
    const messageId = socket.message('tell me');
    await socket.waitFor({ type: 'token_stream' });
    const next = await start(redis.url);
    const reader = await attach(next, 's');

    proxy.blackhole(true);
    const heldAt = performance.now();
    agent.behave(httpBehaviours.delayMs(0, () => 'told by another'));
    const [first] = turnsOf(messageId);
    await eventually(() => first?.endedAt != null, 5_000);
    expect(first?.closedByPeer).toBe(true);
    expect((first?.endedAt?.monotonicMs ?? 0) - heldAt).toBeLessThan(TTL_MS);
    await cut.waitForLog((line) => line.msg === 'lease lost' && line.why === 'not renewed in time');

    const final = await reader.final(messageId);
    expect(final).toMatchObject({ content: 'told by another', attempt: 2 });
    const [, second] = turnsOf(messageId);
    expect(turnsOf(messageId)).toHaveLength(2);
    expect(second?.turn.fence).toBeGreaterThan(first?.turn.fence ?? 0);
    // L5: the agent of the first was hung up on before the second was asked.
    expect(second?.startedAt.monotonicMs).toBeGreaterThan(first?.endedAt?.monotonicMs ?? 0);

    const before = await stored('s');
    proxy.blackhole(false); // what was held reaches Redis now, under a lease of long ago
    await eventually(() => isReady(cut), 10_000);
    expect(await stored('s')).toEqual(before);
    const other = await attach(cut, 'other');
    expect(await other.final(other.message('are you there'))).toMatchObject({ attempt: 1 });
    expect(await stored('s')).toEqual(before);
  });

  it('L4 that was stopped for longer than its TTL goes on without it', async () => {
    agent.behave(streaming);
    const stopped = await start(proxy.url);
    const socket = await attach(stopped, 's');
    const messageId = socket.message('tell me');
    await socket.waitFor({ type: 'token_stream' });
    const next = await start(redis.url);
    const reader = await attach(next, 's');

    const [first] = turnsOf(messageId);
    agent.behave(httpBehaviours.delayMs(0, () => 'told by another'));
    stopped.signal('SIGSTOP');
    const final = await reader.final(messageId, TTL_MS + 8_000);
    expect(final).toMatchObject({ content: 'told by another', attempt: 2 });
    expect(first?.endedAt).toBeNull(); // the case that no lock prevents: its agent still writes
    const before = await stored('s');

    const renewed: string[] = [];
    proxy.watch(([, sha]) => void (sha === leaseRenew.sha && renewed.push(sha)));
    stopped.signal('SIGCONT');
    await stopped.waitForLog((line) => line.msg === 'lease lost');
    await eventually(() => first?.closedByPeer, 5_000);
    await eventually(() => isReady(stopped), 10_000);
    expect(await stored('s')).toEqual(before);
    const other = await attach(stopped, 'other');
    expect(await other.final(other.message('are you there'))).toMatchObject({ attempt: 1 });
    expect(await stored('s')).toEqual(before);
    expect(turnsOf(messageId)).toHaveLength(2);
    expect(renewed.length).toBeLessThanOrEqual(1); // of the old lease, at most the one that was due
    expect(reader.logged().filter((frame) => frame.status === 'final')).toHaveLength(1);
  });
});
