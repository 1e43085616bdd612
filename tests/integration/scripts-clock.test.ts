import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { makeKeys, sessionKeyId } from '@sluice/store';
import {
  canMoveClocks,
  eventually,
  FrameClient,
  type GatewayProcess,
  type HttpAgent,
  httpBehaviours,
  startGateway,
  startHttpAgent,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import {
  idOf,
  openTestStore,
  refOf,
  retryOf,
  sessionWith,
  take,
} from '../support/scripts/scripts-world.js';

const TTL_MS = 1_000;
const HOUR_MS = 3_600_000;
const preload = new URL('../support/scripts/wrong-clock.mjs', import.meta.url).href;

describe('nodes whose clocks are an hour wrong', () => {
  let redis: TestRedis;
  let agent: HttpAgent;
  const nodes: GatewayProcess[] = [];

  beforeAll(async () => {
    redis = await startRedis({ args: ['--appendfsync', 'no'] });
    agent = await startHttpAgent({ behaviour: httpBehaviours.hang() });
  });
  afterAll(() => agent.close());
  afterEach(async () => {
    await Promise.all(nodes.splice(0).map((node) => node.kill()));
  });

  async function start(offsetMs: number) {
    const node = await startGateway({
      redisUrl: redis.url,
      config: {
        redis: { partitions: 4 },
        lease: { ttl: `${TTL_MS}ms` },
        agents: { slow: { kind: 'http', url: agent.url } },
      },
      env: { NODE_OPTIONS: `--import ${preload}`, CLOCK_OFFSET_MS: String(offsetMs) },
    });
    nodes.push(node);
    return node;
  }
  async function attach(node: GatewayProcess) {
    const socket = await FrameClient.connect(node.wsUrl);
    await socket.hello({ agent_id: 'slow', session_id: 's', since: 0 });
    return socket;
  }

  it.each([
    ['behind', 'ahead', HOUR_MS],
    ['ahead', 'behind', -HOUR_MS],
  ])('L6 one %s neither takes a live lease nor misses a dead one of one %s', async (...when) => {
    const [, , offsetMs] = when;
    const client = redis.client();
    await client.flushall();
    agent.behave(httpBehaviours.hang());
    const holder = await start(offsetMs);
    // The wrong clock is in effect: the node's own log shows that.
    const written = new Date(
      String(holder.logs.find(({ msg }) => msg === 'ready')?.time),
    ).getTime();
    expect(Math.abs(written - offsetMs - Date.now())).toBeLessThan(60_000);

    const socket = await attach(holder);
    const messageId = socket.message('run');
    const turns = () => agent.turns.filter(({ turn }) => turn.message_id === messageId);
    await eventually(() => turns().length === 1);
    const other = await start(-offsetMs);
    const reader = await attach(other);

    // Renewed again and again, and swept many times by both: it stays where it is.
    const { state } = makeKeys('sluice', 4).session(sessionKeyId('local', 's'));
    const until = Number(await client.hget(state, 'lease_until'));
    const later = async () => Number(await client.hget(state, 'lease_until')) > until + 2 * TTL_MS;
    await eventually(later, 10_000);
    expect(turns()).toHaveLength(1);
    expect(await client.hget(state, 'holder')).toBe(holder.nodeId);

    agent.behave(httpBehaviours.delayMs(0));
    const killedAt = performance.now();
    await holder.kill();
    const final = await reader.final(messageId);
    expect(final).toMatchObject({ attempt: 2, outcome: { status: 'ok' } });
    const [first, second] = turns();
    // C1: within the TTL + 2 s, and not before Redis said that the lease was over.
    const tookMs = (second?.startedAt.monotonicMs ?? 0) - killedAt;
    expect(tookMs).toBeLessThan(TTL_MS + 2_000);
    expect(second?.turn.fence).toBeGreaterThan(first?.turn.fence ?? 0);
    expect(Math.abs((second?.turn.fence ?? 0) - Date.now())).toBeLessThan(60_000);
  });
});

const where = canMoveClocks() ? it : it.skip;

describe('dates of a clock that is set back by an hour', () => {
  const SHORT_MS = 400;
  const ref = refOf('s');
  const id = idOf(ref);
  const agent = { kind: 'agent', name: 'echo' } as const;
  let redis: TestRedis;

  beforeAll(async () => {
    redis = await startRedis({ movableClock: canMoveClocks(), args: ['--appendfsync', 'no'] });
  });
  beforeEach(async () => {
    redis.moveClock(0);
    await redis.client().flushall();
  });
  const open = (nodeId: string, ttlMs = SHORT_MS) =>
    openTestStore(redis.url, { nodeId, limits: { ttlMs } });

  where('L6 a Redlock whose node died before its lease began ends within its TTL', async () => {
    const [died, other] = [await open('n1'), await open('n2')];
    await sessionWith(other, 's', 'm1');
    expect(await died.leases.acquire(id)).toBeDefined();
    redis.moveClock(-HOUR_MS);
    expect(await other.leases.peek(id, '')).toMatchObject({ kind: 'free' });
    expect(await redis.client().pttl(other.keys.session(id).lease)).toBeLessThanOrEqual(SHORT_MS);
    await eventually(async () => (await other.leases.acquire(id)) !== undefined);
  });

  where('L6 B1 a permit whose node died ends within the TTL of that node', async () => {
    const [died, slow, other] = [await open('n1'), await open('n2', 20_000), await open('n3')];
    for (const store of [died, slow]) await store.permits.take(agent, 'a', 2);
    const { permits } = other.keys.permits(agent);
    const ofSlow = () => redis.client().zscore(permits, 'n2 a 20000');
    const before = await ofSlow();
    expect(await other.permits.take(agent, 'b', 2)).toMatchObject({ kind: 'full', waiting: 1 });
    expect(await ofSlow()).toBe(before); // longer than the TTL of the caller, but right for its own holder
    await other.permits.take(agent, 'c', 2);
    redis.moveClock(-HOUR_MS);
    expect(await other.permits.take(agent, 'b', 2)).toMatchObject({ kind: 'full', waiting: 1 });
    await eventually(async () => (await other.permits.take(agent, 'b', 2)).kind === 'taken');
    expect(await other.permits.take(agent, 'c', 2)).toMatchObject({ kind: 'full' });
  });

  where('L6 T5 a message that is tried again waits no longer than it should', async () => {
    const store = await open('n1', 20_000);
    await sessionWith(store, 's', 'm1');
    const { lease } = await take(store, ref, 't1');
    await store.leases.retry(lease, retryOf('t1', { delayMs: SHORT_MS }));
    redis.moveClock(-HOUR_MS);
    expect(await store.leases.peek(id, '2')).toMatchObject({ kind: 'waits' });
    await eventually(async () => (await store.leases.peek(id, '')).kind === 'free');
    // Nor is it tried for longer: its first failure cannot be in the future.
    const again = await take(store, ref, 't2');
    const brief = retryOf('t2', { delayMs: 1, retryForMs: SHORT_MS });
    expect(await store.leases.retry(again.lease, brief)).toMatchObject({ kind: 'waiting' });
    await eventually(async () => (await store.leases.peek(id, '')).kind === 'free');
    const third = await take(store, ref, 't3');
    const spent = retryOf('t3', { delayMs: 1, retryForMs: 0 });
    expect(await store.leases.retry(third.lease, spent)).toEqual({ kind: 'spent' });
  });

  where('L6 T7 the sweep rings for such a message too, when its wait is over', async () => {
    const store = await open('n1', 20_000);
    await sessionWith(store, 's', 'm1');
    const { lease } = await take(store, ref, 't1');
    await store.leases.retry(lease, retryOf('t1', { delayMs: SHORT_MS }));
    redis.moveClock(-HOUR_MS);
    const partition = store.keys.partitionOf(id);
    await eventually(async () => (await store.sweep(partition)).rings.length === 1, 10_000);
  });

  where('L6 D4 a SESSION_END record from before is copied', async () => {
    const store = await open('n1', 20_000);
    await sessionWith(store, 's', 'm1');
    const { lease } = await take(store, ref, 't1');
    await store.leases.release(lease, 'force', 'drain');
    redis.moveClock(-HOUR_MS);
    const { overdueEnds } = await store.sweep(store.keys.partitionOf(id));
    expect(overdueEnds).toHaveLength(1);
  });
});
