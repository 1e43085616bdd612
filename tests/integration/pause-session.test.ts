import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  eventually,
  type GatewayProcess,
  httpBehaviours,
  startGateway,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import type { Redis } from 'ioredis';
import { Cluster, readSession } from '../support/cluster/cluster.js';
import { isLeftBySweep, post, standsWith } from '../support/cluster/pausing.js';

describe('a session that is paused', () => {
  let redis: TestRedis;
  let client: Redis;
  let cluster: Cluster;
  beforeAll(async () => {
    redis = await startRedis({ args: ['--appendfsync', 'always'] });
    client = redis.client();
  });
  beforeEach(async () => {
    cluster = await Cluster.open(redis, {
      gateway: { drain_timeout: '20s', close_spread: '50ms' },
      lease: { ttl: '3s', linger: '200ms' },
    });
  });
  afterEach(() => cluster.stop());

  /** No sweep comes during the test. */
  const unswept = { worker: { sweep_interval: '60s' } };
  const set = async (node: GatewayProcess, verb: 'pause' | 'resume') => {
    const { status, body } = await post(node, `sessions/s/${verb}`);
    expect([status, body.type, body.paused]).toEqual([200, `session_${verb}d`, verb === 'pause']);
  };
  const turns = () => cluster.agent.turns.map(({ turn }) => [turn.message_id, turn.attempt]);
  const stands = (...waiting: string[]) => standsWith(cluster, client, { session: 's', waiting });
  const hang = () => cluster.agent.behave(httpBehaviours.hang());
  const answer = (ms = 0) => cluster.agent.behave(httpBehaviours.delayMs(ms));

  it('P1 finishes the turn that runs, accepts messages, begins none; then goes on at once', async () => {
    const node = await cluster.start(unswept);
    const other = await cluster.start(unswept);
    answer(700);
    const talk = await cluster.attach(node, { session_id: 's' });
    for (const message_id of ['m1', 'm2']) talk.message('x', { message_id });
    await eventually(() => turns().length === 1);
    await set(other, 'pause');
    await set(node, 'pause'); // a repeat changes nothing
    expect(await talk.final('m1')).toMatchObject({ outcome: { status: 'ok' }, attempt: 1 });
    talk.message('x', { message_id: 'm3' });
    await talk.waitFor({ status: 'accepted', message_id: 'm3' });
    await talk.waitFor((frame) => /^Paused by an operator/.test(String(frame.message)));
    await stands('m2', 'm3');
    expect(await readSession(other, 's')).toMatchObject({ paused: true, is_executing: false });
    expect(turns()).toEqual([['m1', 1]]);

    await set(other, 'resume');
    await set(node, 'resume');
    await talk.final('m3', 10_000);
    expect(turns()).toEqual([
      ['m1', 1],
      ['m2', 1],
      ['m3', 1],
    ]);
    expect(await readSession(node, 's')).toMatchObject({ paused: false, pending_inbox: [] });
  });

  it('P1 P3 a lingering holder gives it up, its rings are dropped and the sweep leaves it', async () => {
    const node = await cluster.start({ lease: { linger: '30s' } });
    const talk = await cluster.attach(node, { session_id: 's' });
    await talk.final(talk.message('x', { message_id: 'm1' }));
    expect(await readSession(node, 's')).toMatchObject({ holder: node.nodeId });
    await set(node, 'pause');
    talk.message('x', { message_id: 'm2' });
    await stands('m2');
    for (let n = 0; n < 2; n += 1) await isLeftBySweep(cluster, client, 's');
    expect(turns()).toEqual([['m1', 1]]);
    expect(await client.llen(`${cluster.keys.ringPrefix}:ring:wait`)).toBe(0);
    expect(await client.zcard(`${cluster.keys.ringPrefix}:ring:delayed`)).toBe(0);
    await set(node, 'resume');
    await talk.final('m2');
  });

  it('P1 T6 S2 abort, cancel, interrupt, collect and reject do what they always do', async () => {
    const node = await cluster.start();
    hang();
    const talk = await cluster.attach(node, { session_id: 's' });
    talk.message('x', { message_id: 'm1' });
    await eventually(() => turns().length === 1);
    await set(node, 'pause');
    talk.message('x', { message_id: 'm2' });
    talk.message('x', { message_id: 'm3', mode: 'interrupt' });
    expect(await talk.final('m1')).toMatchObject({ outcome: { status: 'aborted' } });
    await stands('m3', 'm2');
    talk.message('x', { message_id: 'm4', mode: 'reject' });
    await talk.waitFor({ type: 'error', code: 'busy', message_id: 'm4' });
    talk.send({ type: 'cancel', message_id: 'm3' });
    expect(await talk.final('m3')).toMatchObject({ outcome: { status: 'cancelled' } });
    for (const message_id of ['m5', 'm6']) talk.message('x', { message_id, mode: 'collect' });
    talk.send({ type: 'abort' });
    expect(await talk.waitFor({ type: 'aborted' })).toMatchObject({ message_id: 'm2' });
    expect(await talk.final('m2')).toMatchObject({ outcome: { status: 'aborted' } });
    await stands('m5', 'm6');
    answer();
    await set(node, 'resume');
    expect(await talk.final('m5')).toMatchObject({ merged_into: 'm6' });
    expect(turns().map(([id]) => id)).toEqual(['m1', 'm6']);
  });

  it('P1 T6 the abort of a turn that died with its node is kept, though nothing begins', async () => {
    const node = await cluster.start();
    const other = await cluster.start({ gateway: { roles: ['edge'] } });
    hang();
    const talk = await cluster.attach(other, { session_id: 's' });
    for (const message_id of ['m1', 'm2']) talk.message('x', { message_id });
    await eventually(() => turns().length === 1);
    await set(other, 'pause');
    await node.kill();
    await cluster.start();
    await eventually(async () => (await readSession(other, 's')).holder === null, 10_000);
    await isLeftBySweep(cluster, client, 's');
    talk.send({ type: 'abort' });
    expect(await talk.final('m1', 10_000)).toMatchObject({ outcome: { status: 'aborted' } });
    await stands('m2');
    expect(turns()).toEqual([['m1', 1]]);
  });

  it('P1 T5 a turn that failed and would be tried again waits as well', async () => {
    const node = await cluster.start({
      agents: {
        slow: {
          kind: 'http',
          url: cluster.agent.url,
          retry: { initial: '500ms', factor: 1, max: '500ms' },
        },
      },
    });
    cluster.agent.behave(httpBehaviours.fail({ status: 503 }));
    const talk = await cluster.attach(node, { session_id: 's' });
    talk.message('x', { message_id: 'm1' });
    await eventually(() => turns().length === 1);
    await set(node, 'pause');
    await stands('m1');
    await isLeftBySweep(cluster, client, 's');
    expect(turns()).toEqual([['m1', 1]]);
    answer();
    await set(node, 'resume');
    expect(await talk.final('m1')).toMatchObject({ outcome: { status: 'ok' }, attempt: 2 });
  });

  it('P2 E6 holds when every node is killed and Redis starts again; any node resumes it', async () => {
    const nodes = [await cluster.start(), await cluster.start()] as const;
    hang();
    const talk = await cluster.attach(nodes[0], { session_id: 's' });
    for (const message_id of ['m1', 'm2']) talk.message('x', { message_id });
    await eventually(() => turns().length === 1);
    await set(nodes[1], 'pause');
    await Promise.all(nodes.map((node) => node.kill()));
    await redis.restart();

    answer();
    const edge = await cluster.start({ gateway: { roles: ['edge'] } });
    const again = await cluster.start();
    const back = await cluster.attach(edge, { session_id: 's' });
    const greeting = back.frames.find(({ type }) => type === 'hello_ok');
    expect(greeting).toMatchObject({ paused: true, pending: 2, resumed: true });
    await back.waitFor({ message: 'Paused by an operator (2 pending messages)...' });
    await eventually(async () => (await readSession(edge, 's')).holder === null, 10_000);
    await isLeftBySweep(cluster, client, 's');
    expect(turns()).toEqual([['m1', 1]]);
    await set(edge, 'resume');
    await back.final('m2', 10_000);
    expect(turns()).toEqual([
      ['m1', 1],
      ['m1', 2],
      ['m2', 1],
    ]);
    expect((await again.stop()).code).toBe(0);
  });

  it('P2 C2 a resume whose ring was lost is found by the sweep', async () => {
    const node = await cluster.start();
    const talk = await cluster.attach(node, { session_id: 's' });
    await set(node, 'pause');
    talk.message('x', { message_id: 'm1' });
    await stands('m1');
    await isLeftBySweep(cluster, client, 's');
    const { prefix } = cluster;
    const edge = await startGateway({
      config: { gateway: { roles: ['edge'] }, redis: { url: redis.url, prefix } },
      env: { SLUICE_FAILPOINT: 'session-pause.after' },
    });
    await fetch(`${edge.url}/v1/sessions/s/resume`, { method: 'POST' }).catch(() => undefined);
    await edge.exited;
    await talk.final('m1', 10_000);
  });
});
