import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  eventually,
  type Frame,
  type FrameClient,
  gaps,
  httpBehaviours,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster, readSession } from '../support/cluster/cluster.js';

const outcomes = (frames: readonly Frame[]) =>
  frames.flatMap(({ status, message_id, outcome }) =>
    status === 'final' ? [[message_id, Object(outcome).status]] : [],
  );

describe('an acknowledged message', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  beforeAll(async () => {
    redis = await startRedis();
  });
  beforeEach(async () => {
    cluster = await Cluster.open(redis, {
      lease: { ttl: '1s' },
      worker: { sweep_interval: '200ms' },
    });
  });
  afterEach(() => cluster.stop());
  afterAll(() => redis.stop());

  const turns = () => cluster.agent.turns.map(({ turn }) => [turn.message_id, turn.attempt]);

  /** Sends m1, which runs, and m2 and m3, which wait. */
  async function sendThree(client: FrameClient) {
    for (const message_id of ['m1', 'm2', 'm3']) client.message(message_id, { message_id });
    await client.collect(3, { status: 'accepted' });
    await eventually(() => cluster.agent.turns.length === 1);
  }

  it('S2 T3 has one outcome in order after SIGKILL in mid-turn and a new start', async () => {
    cluster.agent.behave(httpBehaviours.hang());
    const first = await cluster.start();
    const client = await cluster.attach(first, { session_id: 'killed' });
    await sendThree(client);
    await first.kill();
    cluster.agent.behave(httpBehaviours.delayMs(20));
    const next = await cluster.start();
    // Nobody is connected: the work goes on by itself.
    await eventually(async () => (await cluster.inbox('killed')).length === 0, 8_000);
    const after = await cluster.attach(next, { session_id: 'killed' });
    await after.final('m3');
    expect(outcomes(after.logged())).toEqual([
      ['m1', 'ok'],
      ['m2', 'ok'],
      ['m3', 'ok'],
    ]);
    expect(gaps(after.logged())).toEqual([]);
    expect(turns()).toEqual([
      ['m1', 1],
      ['m1', 2],
      ['m2', 1],
      ['m3', 1],
    ]);
    const [cut, again] = cluster.agent.turns;
    expect(Number(again?.turn.fence)).toBeGreaterThan(Number(cut?.turn.fence));
    const retry = after.logged().find(({ type }) => type === 'retry_stream');
    expect(retry).toMatchObject({ data: { message_id: 'm1', attempt: 2 } });
    const { messages } = await readSession(next, 'killed');
    expect(messages).toHaveLength(6);
  });

  it('S2 T4 is a dead letter when every attempt takes its node along', async () => {
    cluster.agent.behave(httpBehaviours.hang());
    // The third attempt is the last one, and runs alone.
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      const node = await cluster.start({ worker: { max_attempts: 2 } });
      if (attempt === 1) {
        const client = await cluster.attach(node, { session_id: 'poison' });
        client.message('poison', { message_id: 'm1' });
        client.message('next', { message_id: 'm2' });
        await client.collect(2, { status: 'accepted' });
      }
      await eventually(() => cluster.agent.turns.length === attempt, 8_000);
      await node.kill();
    }
    cluster.agent.behave(httpBehaviours.delayMs(0));
    const node = await cluster.start({ worker: { max_attempts: 2 } });
    const client = await cluster.attach(node, { session_id: 'poison' });
    await client.final('m2');
    expect(outcomes(client.logged())).toEqual([
      ['m1', 'dead_lettered'],
      ['m2', 'ok'],
    ]);
    expect(turns()).toEqual([
      ['m1', 1],
      ['m1', 2],
      ['m1', 3],
      ['m2', 1],
    ]);
  });

  it('S2 has one outcome in order after the loss of its client', async () => {
    cluster.agent.behave(httpBehaviours.delayMs(50));
    const node = await cluster.start();
    const client = await cluster.attach(node, { session_id: 'lost' });
    await sendThree(client);
    client.cut();
    await eventually(async () => (await cluster.inbox('lost')).length === 0);
    const after = await cluster.attach(node, { session_id: 'lost' });
    await after.final('m3');
    expect(outcomes(after.logged())).toEqual([
      ['m1', 'ok'],
      ['m2', 'ok'],
      ['m3', 'ok'],
    ]);
    expect(turns()).toHaveLength(3);
  });

  it('S2 C3 has one outcome in order after a crash of Redis in mid-turn', async () => {
    cluster.agent.behave(httpBehaviours.delayMs(700));
    const node = await cluster.start();
    const client = await cluster.attach(node, { session_id: 'redis' });
    await sendThree(client);
    await redis.kill();
    await redis.start();
    await client.final('m3', 15_000);
    expect(outcomes(client.logged())).toEqual([
      ['m1', 'ok'],
      ['m2', 'ok'],
      ['m3', 'ok'],
    ]);
    expect(gaps(client.logged())).toEqual([]);
    expect(turns().filter(([id]) => id !== 'm1')).toEqual([
      ['m2', 1],
      ['m3', 1],
    ]);
  });

  it('T7 is served although the keys of BullMQ are gone', async () => {
    const node = await cluster.start({ worker: { concurrency: 1 } });
    let release = () => {};
    cluster.agent.behave(async (turn, { respond }) => {
      if (turn.session_id === 'busy') {
        await new Promise<void>((resolve) => {
          release = resolve;
        });
      }
      respond.json({ content: 'done' });
    });
    const busy = await cluster.attach(node, { session_id: 'busy' });
    busy.message('first', { message_id: 'b1' });
    await eventually(() => cluster.agent.turns.length === 1);
    for (const session_id of ['waits-1', 'waits-2']) {
      const client = await cluster.attach(node, { session_id });
      client.message('hello', { message_id: session_id });
      await client.waitFor({ status: 'accepted' });
      await client.close();
    }
    const client = redis.client();
    const ringKeys = () => client.keys(`${cluster.keys.ringPrefix}:*`);
    const jobs = async () => (await ringKeys()).filter((key) => key.includes(':r-'));
    await eventually(async () => (await jobs()).length >= 2);
    await client.del(await ringKeys());
    release();
    await busy.final('b1');
    await eventually(() => cluster.agent.turns.length === 3, 8_000);
    expect(turns().sort()).toEqual([
      ['b1', 1],
      ['waits-1', 1],
      ['waits-2', 1],
    ]);
    await eventually(async () => (await cluster.inbox('waits-1')).length === 0);
    await eventually(async () => (await cluster.inbox('waits-2')).length === 0);
  });

  it('T7 waits for no client: what was accepted without a worker runs when one comes', async () => {
    const edge = await cluster.start({ gateway: { roles: ['edge'] }, agents: {} });
    const client = await cluster.attach(edge, { session_id: 'later' });
    client.message('hello', { message_id: 'm1' });
    await client.waitFor({ status: 'accepted' });
    await edge.kill();
    const keys = await redis.client().keys(`${cluster.keys.ringPrefix}:*`);
    if (keys.length > 0) await redis.client().del(keys);
    await cluster.start({ gateway: { roles: ['worker'] } });
    await eventually(async () => (await cluster.inbox('later')).length === 0, 8_000);
    expect(turns()).toEqual([['m1', 1]]);
  });
});
