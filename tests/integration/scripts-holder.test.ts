import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sleep } from '@sluice/runtime';
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
import { leaseRenew, turnCommit } from '../../packages/store/dist/script/scripts.js';
import { dump } from '../support/scripts/scripts-world.js';

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

  const keysOf = (sessionId: string) =>
    makeKeys('sluice', 4).session(sessionKeyId('local', sessionId));

  /** What the session consists of, without marks and times, which belong to its readers and its holder. */
  async function stored(sessionId: string): Promise<[string, unknown][]> {
    const keys = keysOf(sessionId);
    const whole = await dump(client, 'sluice');
    const own = [keys.inbox, keys.events, keys.messages, keys.seen];
    const fields = Object.entries(await client.hgetall(keys.state));
    return [
      ...own.map((key): [string, unknown] => [key, whole[key]?.split(' ')[0]]),
      ...fields.filter(([field]) => !/^(mark:|lease_until|due|ring|drawn|sweeps)/.test(field)),
    ];
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
    // L5: the first agent's connection was closed before the second agent was called.
    expect(second?.startedAt.monotonicMs).toBeGreaterThan(first?.endedAt?.monotonicMs ?? 0);

    await eventually(async () => (await client.hexists(keysOf('s').state, 'holder')) === 0);
    const before = await stored('s');
    proxy.blackhole(false); // the held calls reach Redis now, under an old lease
    await eventually(() => isReady(cut), 10_000);
    expect(await stored('s')).toEqual(before);
    const other = await attach(cut, 'other');
    expect(await other.final(other.message('are you there'))).toMatchObject({ attempt: 1 });
    expect(await stored('s')).toEqual(before);
  });

  it('L4 that was stopped for longer than its TTL goes on without it', async () => {
    let reply: () => void = () => undefined;
    agent.behave(async (_turn, { respond }) => {
      await new Promise<void>((resolve) => {
        reply = resolve;
      });
      respond.json({ content: 'told too late' });
    });
    const stopped = await start(proxy.url);
    const socket = await attach(stopped, 's');
    const messageId = socket.message('tell me');
    const nextId = socket.message('and then');
    await eventually(() => turnsOf(messageId).length === 1);
    const next = await start(redis.url);
    const reader = await attach(next, 's');

    // Its commit is under way, somewhere in the network, when the process is stopped.
    proxy.blackhole(true);
    const [first] = turnsOf(messageId);
    reply();
    await eventually(() => first?.endedAt != null);
    await sleep(150);
    stopped.signal('SIGSTOP');
    agent.behave((turn, context) => {
      if (turn.message_id === nextId) return httpBehaviours.hang()(turn, context);
      return context.respond.json({ content: 'told by another' });
    });
    const final = await reader.final(messageId, TTL_MS + 8_000);
    expect(final).toMatchObject({ content: 'told by another', attempt: 2 });
    await eventually(() => turnsOf(nextId).length === 1);
    const before = await stored('s');

    const late: string[] = [];
    proxy.watch(([, sha]) => void late.push(sha ?? ''));
    proxy.blackhole(false);
    await eventually(() => late.includes(turnCommit.sha));
    expect(await stored('s')).toEqual(before);
    stopped.signal('SIGCONT');
    await stopped.waitForLog((line) => line.msg === 'lease lost');
    await eventually(() => isReady(stopped), 10_000);
    agent.behave(httpBehaviours.delayMs(0));
    const other = await attach(stopped, 'other');
    expect(await other.final(other.message('are you there'))).toMatchObject({ attempt: 1 });
    expect(await stored('s')).toEqual(before);
    expect(turnsOf(messageId)).toHaveLength(2);
    expect(turnsOf(nextId)).toHaveLength(1);
    expect(reader.logged().filter((frame) => frame.status === 'final')).toHaveLength(1);
  });
});
