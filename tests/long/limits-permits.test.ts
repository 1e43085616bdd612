import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  eventually,
  type GatewayProcess,
  httpBehaviours,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import * as scripts from '../../packages/store/dist/script/scripts.js';
import { Cluster } from '../support/cluster/cluster.js';
import { countCalls } from '../support/cluster/count-calls.js';

const MOST = 2;
const LEASE_TTL_MS = 2_000;
const tokens = ['alice', 'bob'].map((principal) => ({ token: `${principal}-secret`, principal }));

/** The largest number of turns that ran at one moment; only turns for which `counts` is true. */
function mostAtOnce(
  { turns }: Cluster['agent'],
  counts: (turn: Cluster['agent']['turns'][number]['turn']) => boolean = () => true,
): number {
  const changes = turns
    .filter(({ turn }) => counts(turn))
    .flatMap(({ startedAt, endedAt }) => [
      { at: startedAt.monotonicMs, by: 1 },
      ...(endedAt ? [{ at: endedAt.monotonicMs, by: -1 }] : []),
    ])
    .sort((a, b) => a.at - b.at || a.by - b.by);
  let running = 0;
  return changes.reduce((most, { by }) => {
    running += by;
    return Math.max(most, running);
  }, 0);
}

describe('turns at once in the whole cluster', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  beforeAll(async () => {
    redis = await startRedis({ args: ['--appendfsync', 'no'] });
  });
  beforeEach(async () => {
    cluster = await Cluster.open(redis, {
      lease: { ttl: `${LEASE_TTL_MS}ms`, linger: '100ms' },
      gateway: { auth: { tokens } },
    });
  });
  afterEach(() => cluster.stop());

  const start = (worker = {}, max_concurrent?: number) =>
    cluster.start({
      worker,
      agents: {
        slow: { kind: 'http', url: cluster.agent.url, ...(max_concurrent && { max_concurrent }) },
        other: { kind: 'echo' },
      },
    });
  const attach = (node: GatewayProcess | undefined, session_id: string, fields = {}) => {
    if (!node) throw new Error('no node');
    const { token = 'alice-secret', ...hello }: { token?: string } = fields;
    return cluster.attach(node, { session_id, ...hello }, { token });
  };

  it('B1 max_concurrent: no more of an agent, and the others wait without spinning', async () => {
    const nodes = await Promise.all([start({}, MOST), start({}, MOST)]);
    cluster.agent.behave(httpBehaviours.delayMs(700));
    const takes = await countCalls(redis.port, scripts.permitTake.sha);
    const sessions = Array.from({ length: 8 }, (_, i) => `s${i}`);
    const clients = await Promise.all(sessions.map((id, i) => attach(nodes[i % 2], id)));
    for (const client of clients) client.message('x', { message_id: 'm1' });
    // Another agent is not affected, however many sessions wait.
    await eventually(() => cluster.agent.turns.length === MOST);
    const other = await attach(nodes[0], 'other', { agent_id: 'other' });
    await other.final(other.message('y'), 3_000);
    for (const client of clients) {
      expect(await client.final('m1', 20_000)).toMatchObject({ outcome: { status: 'ok' } });
    }
    expect(mostAtOnce(cluster.agent)).toBe(MOST);
    // Eight sessions in four rounds of 0.7 s: each asks at most four times a second, and when it is rung for.
    expect(takes()).toBeGreaterThanOrEqual(8);
    expect(takes()).toBeLessThan(8 * 4 * 4);
    expect(cluster.agent.turns.every(({ turn }) => turn.attempt === 1)).toBe(true);
  }, 40_000);

  it('B1 T8 a session that is never idle lets others have its permit', async () => {
    const node = await start({ max_turns_per_lease: 2 }, 1);
    cluster.agent.behave(httpBehaviours.delayMs(50));
    const busy = await attach(node, 'busy');
    for (let i = 0; i < 40; i += 1) busy.message('x', { message_id: `m${i}` });
    await busy.final('m0');
    const late = await attach(node, 'late');
    await late.final(late.message('y', { message_id: 'late' }), 20_000);
    expect(
      busy.frames.some((frame) => frame.status === 'final' && frame.message_id === 'm39'),
    ).toBe(false);
    await busy.final('m39', 30_000);
    expect(mostAtOnce(cluster.agent)).toBe(1);
  }, 60_000);

  it('B1 C1 the permits of a killed node are free again within the TTL', async () => {
    const first = await start({}, 1);
    let hangs = true;
    cluster.agent.behave((turn, context) =>
      (hangs ? httpBehaviours.hang() : httpBehaviours.delayMs(0))(turn, context),
    );
    const stuck = await attach(first, 'stuck');
    stuck.message('x', { message_id: 'm1' });
    await eventually(() => cluster.agent.turns.length === 1);
    const second = await start({}, 1);
    const waiting = await attach(second, 'waiting');
    waiting.message('x', { message_id: 'm1' });
    // The permit is kept longer than the TTL, as long as the turn runs.
    await new Promise((resolve) => setTimeout(resolve, LEASE_TTL_MS * 1.5));
    expect(cluster.agent.turns).toHaveLength(1);
    hangs = false;
    const killedMs = performance.now();
    await first.kill();
    await waiting.final('m1', 20_000);
    expect(performance.now() - killedMs).toBeLessThan(LEASE_TTL_MS + 2_000);
    const again = await attach(second, 'stuck');
    expect(await again.final('m1', 20_000)).toMatchObject({ outcome: { status: 'ok' } });
  }, 60_000);

  it('B1 max_turns_per_principal: one principal waits for itself and nobody else', async () => {
    const worker = { max_turns_per_principal: 1 };
    const nodes = await Promise.all([start(worker), start(worker)]);
    cluster.agent.behave(httpBehaviours.delayMs(400));
    const sessions = ['a', 'b', 'c', 'd'];
    const clients = await Promise.all(sessions.map((id, i) => attach(nodes[i % 2], id)));
    for (const client of clients) client.message('x', { message_id: 'm1' });
    await eventually(() => cluster.agent.turns.length > 0);
    const bob = await attach(nodes[0], 'a', { token: 'bob-secret' });
    bob.message('x', { message_id: 'm1' });
    await bob.final('m1', 20_000);
    for (const client of clients) await client.final('m1', 20_000);
    expect(mostAtOnce(cluster.agent, ({ principal }) => principal === 'alice')).toBe(1);
    expect(mostAtOnce(cluster.agent)).toBe(2);
  }, 60_000);

  it('B1 an agent that is full may be aborted, cancelled and drained as any other', async () => {
    const first = await start({}, 1);
    const second = await start({}, 1);
    cluster.agent.behave(httpBehaviours.hang());
    const running = await attach(first, 'running');
    running.message('x', { message_id: 'm1' });
    await eventually(() => cluster.agent.turns.length === 1);
    const waiting = await attach(second, 'waiting');
    for (const message_id of ['m1', 'm2']) waiting.message('x', { message_id });
    waiting.send({ type: 'cancel', message_id: 'm1' });
    expect(await waiting.final('m1')).toMatchObject({ outcome: { status: 'cancelled' } });
    cluster.agent.behave(httpBehaviours.delayMs(0));
    running.send({ type: 'abort' });
    expect(await running.final('m1')).toMatchObject({ outcome: { status: 'aborted' } });
    await waiting.final('m2');
    expect((await first.stop()).code).toBe(0);
    expect(
      await redis.client().exists(cluster.keys.permits({ kind: 'agent', name: 'slow' }).permits),
    ).toBe(0);
  }, 40_000);
});

describe('sessions of a principal', () => {
  let cluster: Cluster;
  beforeEach(async () => {
    cluster = await Cluster.open(await startRedis({ args: ['--appendfsync', 'no'] }), {
      session: { max_sessions_per_principal: 3 },
    });
  });
  afterEach(() => cluster.stop());

  it('B1 max_sessions_per_principal: one more is refused until one has ended', async () => {
    const nodes = await Promise.all([cluster.start(), cluster.start()]);
    const [first, second] = nodes;
    if (!first || !second) throw new Error('no nodes');
    for (const id of ['s1', 's2', 's3']) await cluster.attach(first, { session_id: id });
    await expect(cluster.attach(second, { session_id: 's4' })).rejects.toMatchObject({
      frame: { code: 'rate_limited', next_step: 'wait_then_retry', retry_after_seconds: 60 },
    });
    await cluster.attach(second, { session_id: 's2' });
    await fetch(`${second.url}/v1/sessions/s1`, { method: 'DELETE' });
    await cluster.attach(second, { session_id: 's4' });
    await expect(cluster.attach(first, { session_id: 's5' })).rejects.toThrow(/rate_limited/);
  });
});
