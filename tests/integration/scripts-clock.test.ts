import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { makeKeys, sessionKeyId } from '@sluice/store';
import {
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

const TTL_MS = 1_000;
const HOUR_MS = 3_600_000;
const preload = new URL('./wrong-clock.mjs', import.meta.url).href;

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
    // The wrong clock is in effect: the node's own log shows it.
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
