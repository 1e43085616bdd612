import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { sleep } from '@sluice/runtime';
import {
  eventually,
  FrameClient,
  type GatewayProcess,
  httpBehaviours,
  startRedis,
} from '@sluice/testkit';
import { Cluster, readSession } from '../support/cluster/cluster.js';
import { fiveSessions } from '../support/cluster/five-sessions.js';

const TTL_MS = 2_000;

describe('a node that is stopped and wakes', () => {
  let cluster: Cluster;
  let edge: GatewayProcess;
  beforeEach(async () => {
    cluster = await Cluster.open(await startRedis(), {
      gateway: { drain_timeout: '4s', close_spread: '100ms' },
      lease: { ttl: `${TTL_MS}ms` },
    });
    edge = await cluster.start({ gateway: { roles: ['edge'] } });
  });
  afterEach(() => cluster.stop());

  const { begunBehind, expectWhole, fill, sessions } = fiveSessions(() => ({ cluster, edge }));

  it('L3 L5 SIGSTOP past the TTL: what it writes when it wakes is refused, and it works on', async () => {
    const holder = await cluster.start({ gateway: { roles: ['worker'] } });
    // Its own turns are answered while it sleeps; the turns of the node that takes over end later.
    cluster.agent.behave(httpBehaviours.delayMs(1_500));
    await fill();
    holder.signal('SIGSTOP');
    const stoppedMs = performance.now();
    const other = await cluster.start({ gateway: { roles: ['worker'] } });
    cluster.agent.behave(httpBehaviours.delayMs(3_000));
    await eventually(() => sessions.every((it) => begunBehind(stoppedMs + 1, it)), 10_000);
    expect(await readSession(edge, 's1')).toMatchObject({ holder: other.nodeId, attempt: 2 });
    holder.signal('SIGCONT');
    await eventually(() => holder.logs.filter(({ msg }) => msg === 'lease lost').length > 0);
    cluster.agent.behave(httpBehaviours.delayMs(20));
    await expectWhole();
    // Now the node that slept is the only worker, and it serves.
    expect(await other.stop()).toMatchObject({ code: 0 });
    await eventually(async () => (await fetch(`${holder.url}/ready`)).status === 200);
    const client = await cluster.attach(edge, { session_id: 'new' });
    await client.final(client.message('are you back?'));
    expect(holder.logs.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
    expect(await holder.stop()).toMatchObject({ code: 0 });
  }, 40_000);
});

it('L4 L5 the holder of a lease that cannot be renewed in time gives its turn up before another begins it', async () => {
  const redis = await startRedis();
  const cluster = await Cluster.open(redis, { lease: { ttl: `${TTL_MS}ms` } });
  const client = await FrameClient.connect((await cluster.start()).wsUrl);
  await client.hello({ agent_id: 'slow', session_id: 's', since: 0 });
  cluster.agent.behave(httpBehaviours.delayMs(8_000));
  client.message('long', { message_id: 'm1' });
  await eventually(() => cluster.agent.turns.length === 1);
  await redis.pause();
  await eventually(() => cluster.agent.turns[0]?.closedByPeer === true, TTL_MS + 500);
  cluster.agent.behave(httpBehaviours.delayMs(0));
  await sleep(100);
  await redis.resume();
  expect(await client.final('m1', 10_000)).toMatchObject({ attempt: 2, outcome: { status: 'ok' } });
  const [first, second] = cluster.agent.turns;
  expect(first?.endedAt?.monotonicMs).toBeLessThan(second?.startedAt.monotonicMs ?? 0);
  await cluster.stop();
}, 30_000);
