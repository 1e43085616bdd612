import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  eventually,
  type FrameClient,
  type GatewayProcess,
  httpBehaviours,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import type { Redis } from 'ioredis';
import * as scripts from '../../packages/store/dist/script/scripts.js';
import { Cluster, readSession } from '../support/cluster/cluster.js';
import { countCalls } from '../support/cluster/count-calls.js';
import { isLeftBySweep, post } from '../support/cluster/pausing.js';

const SESSIONS = 12;

describe('an agent that is paused', () => {
  let redis: TestRedis;
  let client: Redis;
  let cluster: Cluster;
  beforeAll(async () => {
    redis = await startRedis({ args: ['--appendfsync', 'no'] });
    client = redis.client();
  });
  beforeEach(async () => {
    cluster = await Cluster.open(redis, { lease: { ttl: '5s', linger: '100ms' } });
  });
  afterEach(() => cluster.stop());

  const start = (worker = {}) => cluster.start({ worker, agents: { other: { kind: 'echo' } } });
  const names = Array.from({ length: SESSIONS }, (_, i) => `s${i}`);
  /** A connection for each session, on these nodes in turn. */
  const attachAll = (nodes: readonly GatewayProcess[]) =>
    Promise.all(
      names.map((session_id, i) => {
        const node = nodes[i % nodes.length];
        if (!node) throw new Error('no node');
        return cluster.attach(node, { session_id });
      }),
    );
  const say = (talks: readonly FrameClient[], ...ids: string[]) => {
    for (const talk of talks) for (const message_id of ids) talk.message('x', { message_id });
  };
  const set = async (node: GatewayProcess, verb: 'pause' | 'resume') =>
    expect((await post(node, `agents/slow/${verb}`)).status).toBe(200);
  const stateOf = (session: string) => cluster.sessionKeys(session).state;

  it('P1 no turn of it begins after the answer, on any node; other agents go on', async () => {
    const nodes = await Promise.all([start(), start()]);
    const [first, second] = nodes;
    if (!first || !second) throw new Error('no nodes');
    cluster.agent.behave(httpBehaviours.delayMs(15));
    const talks = await attachAll(nodes);
    const ids = Array.from({ length: 40 }, (_, i) => `m${i}`);
    say(talks, ...ids);
    await eventually(() => cluster.agent.turns.length > 3 * SESSIONS, 10_000);
    await set(second, 'pause');
    // Turns that had begun by the answer may reach the agent a moment later; no other may.
    const begun = await Promise.all(names.map((name) => client.hget(stateOf(name), 'turn_id')));
    const known = new Set([...begun, ...cluster.agent.turns.map(({ turn }) => turn.turn_id)]);
    await eventually(async () => {
      const held = await Promise.all(names.map((name) => client.hget(stateOf(name), 'holder')));
      return held.every((holder) => holder === null);
    }, 10_000);
    const last = await cluster.attach(first, { session_id: 'else', agent_id: 'other' });
    await last.final(last.message('y'));
    say(talks, 'late');
    for (const name of names) await isLeftBySweep(cluster, client, name);
    const since = cluster.agent.turns.filter(({ turn }) => !known.has(turn.turn_id));
    expect(since).toEqual([]);
    expect(cluster.agent.turns.length).toBeLessThan(SESSIONS * ids.length);
    expect(await readSession(first, 's0')).toMatchObject({ paused: true, is_executing: false });

    cluster.agent.behave(httpBehaviours.delayMs(0));
    await set(first, 'resume');
    await Promise.all(talks.map((talk) => talk.final('late', 30_000)));
    for (const name of names) {
      const run = cluster.agent.turns.filter(({ turn }) => turn.session_id === name);
      expect(run.map(({ turn }) => turn.message_id)).toEqual([...ids, 'late']);
    }
  }, 90_000);

  it('P2 P3 costs a ring one call, and resuming rings for all that wait without the sweep', async () => {
    const nodes = await Promise.all([1, 2].map(() => start({ sweep_interval: '60s' })));
    const [first, second] = nodes;
    if (!first || !second) throw new Error('no nodes');
    const talks = await attachAll(nodes);
    await set(first, 'pause');
    const peeks = await countCalls(redis.port, scripts.sessionPeek.sha);
    const draws = await countCalls(redis.port, scripts.ringDraw.sha);
    say(talks, 'm1', 'm2');
    await eventually(async () => {
      const waiting = await Promise.all(names.map((name) => cluster.inbox(name)));
      return waiting.every((ids) => ids.length === 2);
    });
    // No session is rung for, and none is looked at.
    expect(peeks()).toBe(0);
    expect(draws()).toBe(0);
    expect(cluster.agent.turns).toEqual([]);
    await set(second, 'resume');
    await Promise.all(talks.map((talk) => talk.final('m2', 10_000)));
    expect(draws()).toBe(SESSIONS);
  }, 40_000);

  it('P2 C2 what a call that was cut short has left is finished by the sweep of any node', async () => {
    const node = await start();
    const talk = await cluster.attach(node, { session_id: 's0' });
    const { pausedAgents } = cluster.keys;
    const copyOf = (session: string) => cluster.sessionKeys(session).paused_agents;
    const number = 2 * Date.now() + 1;
    await client.hset(pausedAgents, 'slow', number); // as by a node that died after it
    await eventually(async () => (await client.hget(copyOf('s0'), 'slow')) === String(number));
    talk.message('x', { message_id: 'm1' });
    await talk.waitFor({ status: 'accepted' });
    await isLeftBySweep(cluster, client, 's0');
    expect(cluster.agent.turns).toEqual([]);
    await client.hset(pausedAgents, 'slow', number + 1);
    await talk.final('m1', 5_000);
  });

  it('P2 holds when all is killed and started again, also for an agent that no node has', async () => {
    const durable = await startRedis({ args: ['--appendfsync', 'always'] });
    const own = await Cluster.open(durable, { lease: { ttl: '2s' } });
    const node = await own.start();
    const talk = await own.attach(node, { session_id: 's' });
    await post(node, 'agents/slow/pause');
    talk.message('x', { message_id: 'm1' });
    await talk.waitFor({ status: 'accepted' });
    await node.kill();
    await durable.restart();
    const bare = await own.start({ agents: { slow: undefined, other: { kind: 'echo' } } });
    await isLeftBySweep(own, durable.client(), 's');
    const agents = async () => (await fetch(`${bare.url}/v1/agents`)).json();
    // The killed node counts as live for three seconds.
    await eventually(async () => JSON.stringify(await agents()).includes('"nodes":[]'), 10_000);
    expect(await agents()).toEqual({
      agents: [
        { agent_id: 'other', nodes: [bare.nodeId], paused: false },
        { agent_id: 'slow', nodes: [], paused: true },
      ],
    });
    expect((await post(bare, 'agents/slow/resume')).status).toBe(200);
    await own.start();
    await eventually(() => own.agent.turns.length === 1, 10_000);
    await own.stop();
  }, 40_000);
});
