import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  eventually,
  FrameClient,
  type GatewayProcess,
  httpBehaviours,
  startRedis,
  type TestRedis,
  UpgradeRefused,
} from '@sluice/testkit';
import { Cluster, readSession } from '../support/cluster/cluster.js';

describe('turns while a node drains', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  beforeAll(async () => {
    redis = await startRedis();
  });
  beforeEach(async () => {
    cluster = await Cluster.open(redis, {
      gateway: { drain_timeout: '8s', close_spread: '1s' },
      lease: { ttl: '20s' },
    });
  });
  afterEach(() => cluster.stop());

  const ready = async (node: GatewayProcess) => {
    const response = await fetch(`${node.url}/ready`);
    return { status: response.status, body: await response.json() };
  };

  it('D1 fails readiness, refuses what is new and starts no ring', async () => {
    const node = await cluster.start();
    const running = await cluster.attach(node, { session_id: 'running' });
    const idle = await cluster.attach(node, { session_id: 'idle' });
    expect(await ready(node)).toMatchObject({ status: 200 });
    cluster.agent.behave(httpBehaviours.delayMs(1_500));
    running.message('long', { message_id: 'long' });
    await eventually(() => cluster.agent.turns.length === 1);

    node.signal('SIGTERM');
    await idle.waitFor({ type: 'going_away' });
    expect(await ready(node)).toMatchObject({ status: 503, body: { failing: ['draining'] } });
    expect((await fetch(`${node.url}/live`)).status).toBe(200);
    const refused = await FrameClient.connect(node.wsUrl).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(UpgradeRefused);
    expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': expect.anything() } });
    const post = await fetch(`${node.url}/v1/sessions/other/messages`, {
      method: 'POST',
      body: JSON.stringify({ content: 'hello', agent_id: 'slow' }),
    });
    expect(post.status).toBe(503);
    expect(await post.json()).toMatchObject({ error: { code: 'draining', retryable: true } });

    // Accepted, since its connection is not closed yet; the next node executes it.
    idle.message('late', { message_id: 'late' });
    await idle.waitFor({ status: 'accepted', message_id: 'late' });
    expect((await node.exited).code).toBe(0);
    expect(cluster.agent.turns.map(({ turn }) => turn.message_id)).toEqual(['long']);
    expect(await cluster.inbox('idle')).toEqual(['late']);
    await cluster.start();
    await eventually(() => cluster.agent.turns.length === 2);
    expect(cluster.agent.turns[1]?.turn).toMatchObject({ message_id: 'late', attempt: 1 });
  });

  it('D2 drains the inboxes of its sessions when no other worker lives', async () => {
    // With these limits a node that does not drain would make room for other sessions.
    const node = await cluster.start({ worker: { concurrency: 1, max_turns_per_lease: 2 } });
    cluster.agent.behave(httpBehaviours.delayMs(300));
    const client = await cluster.attach(node, { session_id: 's' });
    const ids = ['m1', 'm2', 'm3', 'm4'];
    for (const id of ids) client.message(id, { message_id: id });
    await eventually(() => cluster.agent.turns.length === 1);
    node.signal('SIGTERM');
    expect(await node.exited).toMatchObject({ code: 0 });
    expect(cluster.agent.turns.map(({ turn }) => [turn.message_id, turn.attempt])).toEqual(
      ids.map((id) => [id, 1]),
    );
    expect(await cluster.inbox('s')).toEqual([]);
    expect(await cluster.sessionEnds()).toEqual([]);
  });

  it('D2 D5 finishes the turn and hands the rest to another worker at once', async () => {
    const nodes = [await cluster.start(), await cluster.start()] as const;
    cluster.agent.behave(httpBehaviours.delayMs(700));
    const client = await cluster.attach(nodes[0], { session_id: 's' });
    const ids = ['m1', 'm2', 'm3'];
    for (const id of ids) client.message(id, { message_id: id });
    await eventually(() => cluster.agent.turns.length === 1);
    const { holder } = await readSession(nodes[0], 's');
    const [holding, other] = holder === nodes[0].nodeId ? nodes : [nodes[1], nodes[0]];
    expect(holder).toBe(holding.nodeId);

    holding.signal('SIGTERM');
    await eventually(() => cluster.agent.turns.length === 2);
    expect(await readSession(other, 's')).toMatchObject({ holder: other.nodeId });
    await eventually(async () => (await cluster.inbox('s')).length === 0);
    const { turns } = cluster.agent;
    expect(turns.map(({ turn }) => [turn.message_id, turn.attempt])).toEqual(
      ids.map((id) => [id, 1]),
    );
    expect(turns[0]?.closedByPeer).toBe(false);
    const pauseMs =
      Number(turns[1]?.startedAt.monotonicMs) - Number(turns[0]?.endedAt?.monotonicMs);
    expect(pauseMs).toBeGreaterThanOrEqual(0);
    expect(pauseMs).toBeLessThan(1_000);
    expect(await holding.exited).toMatchObject({ code: 0 });
    expect(await cluster.sessionEnds()).toEqual([]);
  });

  it('D5 gives up the lease of a session that only lingers', async () => {
    const node = await cluster.start({ lease: { linger: '10s' } });
    const client = await cluster.attach(node, { session_id: 's' });
    await client.final(client.message('one'));
    expect(await readSession(node, 's')).toMatchObject({ holder: node.nodeId });
    await client.close();
    const other = await cluster.start();
    node.signal('SIGTERM');
    expect((await node.exited).ms).toBeLessThan(3_000);
    expect(await readSession(other, 's')).toMatchObject({ holder: null });
    const next = await cluster.attach(other, { session_id: 's' });
    await next.final(next.message('two'), 1_000);
  });
});
