import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { makeKeys, sessionKeyId } from '@sluice/store';
import {
  canMoveClocks,
  eventually,
  FrameClient,
  type GatewayProcess,
  gaps,
  type HttpAgent,
  httpBehaviours,
  startGateway,
  startHttpAgent,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';

const TTL_MS = 2_000;
const where = canMoveClocks() ? it : it.skip;

/** The tests of this file are about one Redis, whose clock is set while nodes use it. */
describe('a Redis whose clock is set, or whose data is deleted', () => {
  let redis: TestRedis;
  let agent: HttpAgent;
  const nodes: GatewayProcess[] = [];
  beforeAll(async () => {
    const movableClock = canMoveClocks();
    redis = await startRedis({ movableClock, args: ['--appendfsync', 'no'] });
    agent = await startHttpAgent({ behaviour: httpBehaviours.delayMs(0) });
  });
  afterAll(() => agent.close());
  afterEach(async () => {
    await Promise.all(nodes.splice(0).map((node) => node.kill()));
    if (canMoveClocks()) redis.moveClock(0);
    await redis.client().flushall();
    agent.behave(httpBehaviours.delayMs(0));
  });

  async function start(partitions = 4) {
    const node = await startGateway({
      redisUrl: redis.url,
      config: {
        redis: { partitions },
        lease: { ttl: `${TTL_MS}ms` },
        agents: { slow: { kind: 'http', url: agent.url } },
      },
    });
    nodes.push(node);
    return node;
  }
  async function attach(node: GatewayProcess, session_id = 's', more = {}) {
    const socket = await FrameClient.connect(node.wsUrl);
    const hello = await socket.hello({ agent_id: 'slow', session_id, since: 0, ...more });
    return { socket, hello };
  }

  where('L6 C1 set back by 90 s: a killed holder is taken over within its TTL', async () => {
    agent.behave(httpBehaviours.hang());
    const [holder, other] = [await start(), await start()];
    const { socket } = await attach(holder);
    const id = socket.message('run');
    await eventually(() => agent.turns.length > 0);
    const { socket: reader } = await attach(other);
    agent.behave(httpBehaviours.delayMs(0));
    const { state } = makeKeys('sluice', 4).session(sessionKeyId('local', 's'));
    const runsOn = await redis.client().hget(state, 'holder');
    const [killed, left] = runsOn === holder.nodeId ? [holder, reader] : [other, socket];
    const killedAt = performance.now();
    await killed.kill();
    redis.moveClock(-90_000);
    expect(await left.final(id, 20_000)).toMatchObject({ attempt: 2, outcome: { status: 'ok' } });
    // C1, and one more look of the sweep, which notices that the clock was set.
    expect(performance.now() - killedAt).toBeLessThan(TTL_MS + 2_000 + 3_000);
  });

  where('L6 set back by 90 s: a live holder keeps its turn', async () => {
    agent.behave(httpBehaviours.hang());
    const [one] = [await start(), await start()];
    const { socket } = await attach(one);
    const before = agent.turns.length;
    socket.message('run');
    await eventually(() => agent.turns.length > before);
    const client = redis.client();
    const { state } = makeKeys('sluice', 4).session(sessionKeyId('local', 's'));
    const fence = await client.hget(state, 'fence');
    redis.moveClock(-90_000);
    const [seconds] = await client.time();
    const untilS = async () => Number(await client.hget(state, 'lease_until')) / 1_000;
    await eventually(async () => (await untilS()) < Number(seconds) + 30, 10_000);
    await eventually(async () => (await untilS()) > Number(seconds) + 2 * (TTL_MS / 1_000), 20_000);
    expect(agent.turns).toHaveLength(before + 1);
    expect(await client.hget(state, 'fence')).toBe(fence);
  });

  where('E2 started again with an earlier clock: the epoch grows, and readers go on', async () => {
    const node = await start();
    const one = await attach(node);
    await one.socket.final(one.socket.message('before'));
    const before = one.socket.logged().length;
    await redis.shutdown();
    redis.moveClock(-90_000);
    await redis.start();
    await eventually(async () => (await fetch(`${node.url}/ready`)).status === 200, 15_000);
    const two = await attach(node, 's', { since: before });
    await two.socket.final(two.socket.message('after'));
    await eventually(() => one.socket.logged().length === two.socket.logged().length + before);
    expect(gaps(one.socket.logged(), 0)).toEqual([]);
    const epochs = one.socket.logged().flatMap(({ epoch }) => epoch ?? []);
    expect(epochs).toHaveLength(1);
    expect(BigInt(String(epochs[0]))).toBeGreaterThan(BigInt(String(one.hello.epoch)));
    const waited = await fetch(`${node.url}/v1/sessions/w/messages?wait=10`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ agent_id: 'slow', content: 'waited' }),
    });
    expect(waited.status).toBe(200);
  });

  it('E2 C3 its data deleted: who only listens is told within seconds, and the layout is back', async () => {
    const node = await start();
    const { socket, hello } = await attach(node);
    await socket.final(socket.message('before'));
    const client = redis.client();
    await client.flushall();
    expect((await socket.closed).code).toBe(1012);
    await eventually(() => client.hget('sluice:layout', 'partitions').then((it) => it === '4'));
    await node.waitForLog(({ msg }) => /data in redis was deleted/.test(String(msg)));
    const again = await attach(node, 's', { since: hello.cursor, epoch: hello.epoch });
    expect(again.hello).toMatchObject({ resumed: false, resync_required: true });
    await again.socket.final(again.socket.message('after'));
    await expect(start(8)).rejects.toThrow(/partitions/);
  });

  it('L2 replaced by data with another layout: the node that does not fit stops', async () => {
    const node = await start();
    const client = redis.client();
    await client
      .multi()
      .flushall()
      .hset('sluice:layout', { version: 1, partitions: 8, id: 'x' })
      .exec();
    expect(await node.exited).toMatchObject({ code: 0 });
  });
});
