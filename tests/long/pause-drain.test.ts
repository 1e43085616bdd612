import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  eventually,
  type GatewayProcess,
  httpBehaviours,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import type { Redis } from 'ioredis';
import { Cluster, readSession } from '../support/cluster/cluster.js';
import { isLeftBySweep, post, standsWith } from '../support/cluster/pausing.js';

const ops = 'ops-0123456789abcdef00';
const alice = 'alice-0123456789abcdef';
const tokens = [
  { token: ops, principal: 'ops', scopes: ['admin'] },
  { token: alice, principal: 'alice', scopes: ['read', 'write'] },
];

describe('a paused session when its node leaves or it ends', () => {
  let redis: TestRedis;
  let client: Redis;
  let cluster: Cluster;
  beforeAll(async () => {
    redis = await startRedis({ args: ['--appendfsync', 'no'] });
    client = redis.client();
  });
  beforeEach(async () => {
    cluster = await Cluster.open(redis, {
      gateway: { drain_timeout: '20s', close_spread: '50ms' },
      lease: { ttl: '20s' },
    });
  });
  afterEach(() => cluster.stop());

  const turns = () => cluster.agent.turns.map(({ turn }) => [turn.message_id, turn.attempt]);
  /** Makes a paused session: a turn of m1 runs, m2 and m3 wait. */
  async function pausedTurn(node: GatewayProcess) {
    const talk = await cluster.attach(node, { session_id: 's' });
    for (const message_id of ['m1', 'm2', 'm3']) talk.message('x', { message_id });
    await eventually(async () => turns().length === 1 && (await cluster.inbox('s')).length === 3);
    await post(node, 'sessions/s/pause');
    return talk;
  }

  it.each([
    ['alone', 0],
    ['beside others', 1],
  ])(
    'P3 D2 S2 a drain of a node %s waits for the turn and not for the inbox',
    async (_, others) => {
      const node = await cluster.start();
      cluster.agent.behave(httpBehaviours.delayMs(1_500));
      await pausedTurn(node);
      for (let n = 0; n < others; n += 1) await cluster.start();
      const { code, ms } = await node.stop();
      expect(code).toBe(0);
      expect(ms).toBeLessThan(10_000);
      expect(await cluster.inbox('s')).toEqual(['m2', 'm3']);
      expect(await cluster.sessionEnds()).toEqual([]);

      const next = await cluster.start();
      await isLeftBySweep(cluster, client, 's');
      expect(turns()).toEqual([['m1', 1]]);
      await post(next, 'sessions/s/resume');
      const back = await cluster.attach(next, { session_id: 's' });
      await back.final('m3', 10_000);
      expect(turns()).toEqual([
        ['m1', 1],
        ['m2', 1],
        ['m3', 1],
      ]);
    },
  );

  it('P3 D3 D4 T3 a turn that is cut at the deadline waits for the resume, at no cost', async () => {
    const nodes = [await cluster.start({ gateway: { drain_timeout: '1s' } })] as const;
    cluster.agent.behave(httpBehaviours.hang());
    await pausedTurn(nodes[0]);
    const other = await cluster.start();
    expect((await nodes[0].stop()).code).toBe(0);
    expect(await cluster.sessionEnds()).toMatchObject([{ continues: 'true', pending_count: '3' }]);
    await standsWith(cluster, client, { session: 's', waiting: ['m1', 'm2', 'm3'] });
    await isLeftBySweep(cluster, client, 's');
    expect(turns()).toEqual([['m1', 1]]);
    cluster.agent.behave(httpBehaviours.delayMs(0));
    await post(other, 'sessions/s/resume');
    const back = await cluster.attach(other, { session_id: 's' });
    expect(await back.final('m1', 10_000)).toMatchObject({ attempt: 1 });
  });

  it('P1 D9 C4 its end cancels what waits; a new one under its id, and an idle one, are as any', async () => {
    const settings = { session: { resume_window: '1m' }, lease: { ttl: '20s', linger: '200ms' } };
    const node = await cluster.start(settings);
    cluster.agent.behave(httpBehaviours.hang());
    const talk = await pausedTurn(node);
    await fetch(`${node.url}/v1/sessions/s`, { method: 'DELETE' });
    expect(await talk.final('m1')).toMatchObject({ outcome: { status: 'aborted' } });
    expect(await talk.final('m3')).toMatchObject({ outcome: { status: 'cancelled' } });

    cluster.agent.behave(httpBehaviours.delayMs(0));
    const anew = await cluster.attach(node, { session_id: 's' });
    await anew.final(anew.message('x', { message_id: 'm1' }));
    await post(node, 'sessions/s/pause');
    expect(await readSession(node, 's')).toMatchObject({ paused: true, pending_inbox: [] });
    const { state } = cluster.sessionKeys('s');
    await eventually(async () => (await client.pttl(state)) > 0); // the lease is given up
    anew.message('x', { message_id: 'm2' });
    await eventually(async () => (await client.pttl(state)) === -1);
  });

  it('P1 X2 only operators pause; each act is a line of the log', async () => {
    const node = await cluster.start({ gateway: { auth: { tokens } } });
    const ask = async (method: string, path: string, token = ops) => {
      const headers = { authorization: `Bearer ${token}` };
      const answer = await fetch(`${node.url}/v1/${path}`, { method, headers });
      return { status: answer.status, body: Object(await answer.json()) };
    };
    const talk = await cluster.attach(node, { session_id: 's' }, { token: alice });
    for (const path of ['sessions/s/pause', 'sessions/s/resume', 'agents/slow/pause']) {
      expect(await ask('POST', path, alice)).toMatchObject({ status: 403 });
    }
    expect(await ask('POST', 'sessions/s/pause')).toMatchObject({
      status: 404,
      body: { error: { code: 'session_not_found' } },
    });
    expect(await ask('POST', 'agents/unknown/pause')).toMatchObject({
      status: 404,
      body: { error: { code: 'agent_not_found' } },
    });
    expect(await ask('POST', 'sessions/s/pause?principal=alice')).toEqual({
      status: 200,
      body: { type: 'session_paused', session_id: 's', paused: true, durability: 'memory' },
    });
    const listed = async () => (await ask('GET', 'sessions', alice)).body.sessions[0].paused;
    expect(await listed()).toBe(true);
    expect(await ask('POST', 'agents/slow/pause')).toMatchObject({ status: 200 });
    const resumed = await ask('POST', 'sessions/s/resume?principal=alice');
    expect(resumed.body).toMatchObject({ type: 'session_resumed', paused: true }); // by its agent
    expect((await ask('GET', 'agents')).body.agents).toMatchObject([
      { agent_id: 'slow', paused: true },
    ]);
    expect(await ask('POST', 'agents/slow/resume')).toMatchObject({
      body: { type: 'agent_resumed', agent_id: 'slow', paused: false },
    });
    expect(await listed()).toBe(false);
    await talk.final(talk.message('x'));
    const acts = node.logs.flatMap(({ msg, action, target, principal, of }) =>
      msg === 'admin act' && /pause|resume/.test(String(action))
        ? [[principal, action, target, of ?? null]]
        : [],
    );
    expect(acts).toEqual([
      ['ops', 'session_pause', 's', 'ops'],
      ['ops', 'agent_pause', 'unknown', null],
      ['ops', 'session_pause', 's', 'alice'],
      ['ops', 'agent_pause', 'slow', null],
      ['ops', 'session_resume', 's', 'alice'],
      ['ops', 'agent_resume', 'slow', null],
    ]);
  });
});
