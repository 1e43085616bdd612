import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  eventually,
  gaps,
  httpBehaviours,
  loggedFrame,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster, readSession } from '../support/cluster/cluster.js';

const FORCED = 'Force-closed during shutdown after timeout';
/** architecture.md: every entry has every field, in this order. */
const FIELDS = [
  ...['v', 'event_id', 'type', 'session_id', 'agent_id', 'principal', 'reason', 'reason_code'],
  ...['had_pending_work', 'was_executing', 'pending_count', 'continues', 'node_id', 'fence'],
  ...['cursor', 'epoch', 'ts', 'payload'],
];

describe('a turn that outlasts the drain', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  beforeAll(async () => {
    redis = await startRedis();
  });
  beforeEach(async () => {
    // A lease expires only after 20 s: a node that goes on earlier was given it (D5).
    cluster = await Cluster.open(redis, {
      gateway: { drain_timeout: '2s' },
      lease: { ttl: '20s' },
    });
  });
  afterEach(() => cluster.stop());

  /** One node with an 8 s turn running and one message waiting. */
  async function busyNode() {
    cluster.agent.behave(httpBehaviours.delayMs(8_000));
    const node = await cluster.start();
    const client = await cluster.attach(node, { session_id: 'work' });
    client.message('first', { message_id: 'm1' });
    client.message('second', { message_id: 'm2' });
    await client.waitFor({ status: 'accepted', message_id: 'm2' });
    await eventually(() => cluster.agent.turns.length === 1);
    return { node, client };
  }

  it('D3 D4 D7 is cut at the deadline, recorded and left at the head for the next node', async () => {
    const { node, client } = await busyNode();
    const before = await readSession(node, 'work');
    node.signal('SIGTERM');
    const exit = await node.exited;

    expect(exit).toMatchObject({ code: 0, signal: null });
    expect(exit.ms).toBeLessThan(4_000);
    expect(exit.ms).toBeGreaterThan(1_900);
    expect(cluster.agent.turns[0]).toMatchObject({ closedByPeer: true });
    expect(await cluster.inbox('work')).toEqual(['m1', 'm2']);

    const ends = await cluster.sessionEnds();
    expect(ends).toHaveLength(1);
    const [end] = ends;
    expect(end?.names).toEqual(FIELDS);
    const seq = Number(end?.cursor);
    expect(end).toMatchObject({
      v: '1',
      event_id: expect.stringMatching(new RegExp(`\\.work:${before.fence}:${seq}$`)),
      type: 'SESSION_END',
      session_id: 'work',
      agent_id: 'slow',
      principal: 'local',
      reason: FORCED,
      reason_code: 'drain_timeout',
      had_pending_work: 'true',
      was_executing: 'true',
      pending_count: '2',
      continues: 'true',
      node_id: node.nodeId,
      fence: String(before.fence),
      epoch: before.epoch,
    });
    expect(Math.abs(Number(end?.ts) - Date.now())).toBeLessThan(60_000);
    expect(JSON.parse(String(end?.payload))).toMatchObject({
      had_pending_work: true,
      was_executing: true,
      pending_count: 2,
      continues: true,
      fence: before.fence,
      cursor: seq,
    });

    cluster.agent.behave(httpBehaviours.delayMs(100));
    const next = await cluster.start();
    await eventually(async () => (await cluster.inbox('work')).length === 0);
    const turns = cluster.agent.turns.slice(1).map(({ turn }) => turn);
    expect(turns.map((turn) => [turn.message_id, turn.attempt])).toEqual([
      ['m1', 1],
      ['m2', 1],
    ]);
    expect(turns[1]?.history.map(({ content }) => content)).toEqual(['first', 'echo: first']);

    const after = await cluster.attach(next, { session_id: 'work' });
    await after.final('m2');
    expect(gaps(after.logged())).toEqual([]);
    const kinds = after.logged().map(({ type, status }) => status ?? type);
    expect(kinds).toEqual([
      ...['accepted', 'accepted', 'session_end', 'retry_stream', 'final', 'final'],
    ]);
    expect(after.logged().find(({ type }) => type === 'session_end')).toMatchObject({
      cursor: seq,
      data: { session_id: 'work', reason: FORCED, continues: true },
    });
    expect(await cluster.sessionEnds()).toHaveLength(1);
    // The log begins with what the first connection saw.
    const seen = client.frames.flatMap((frame) => loggedFrame(frame)?.cursor ?? []);
    expect(seen).toEqual(
      after
        .logged()
        .flatMap(({ cursor = 0 }) => cursor)
        .slice(0, seen.length),
    );
  });

  it('D5 goes on within a second on a node that is already there', async () => {
    const { node } = await busyNode();
    await cluster.start();
    node.signal('SIGTERM');
    await eventually(() => cluster.agent.turns.length === 2, 8_000);
    const [cut, next] = cluster.agent.turns;
    expect(next?.turn).toMatchObject({ message_id: 'm1', attempt: 1 });
    expect(Number(next?.turn.fence)).toBeGreaterThan(Number(cut?.turn.fence));
    const pauseMs = Number(next?.startedAt.monotonicMs) - Number(cut?.endedAt?.monotonicMs);
    expect(pauseMs).toBeLessThan(1_000);
    expect(await node.exited).toMatchObject({ code: 0 });
  });

  it('D3 does not wait for an agent that ignores its signal', async () => {
    const path = fileURLToPath(new URL('../support/agents/deaf-agent.mjs', import.meta.url));
    const node = await cluster.start({
      gateway: { drain_timeout: '1s' },
      agents: { deaf: { kind: 'module', path } },
    });
    const client = await cluster.attach(node, { session_id: 'deaf', agent_id: 'deaf' });
    client.message('20000', { message_id: 'm1' });
    await node.waitForLog(({ msg }) => msg === 'deaf agent began');
    node.signal('SIGTERM');
    const exit = await node.exited;
    expect(exit.code).toBe(0);
    expect(exit.ms).toBeLessThan(3_000);
    expect(await cluster.inbox('deaf')).toEqual(['m1']);
    expect(await cluster.sessionEnds()).toMatchObject([{ session_id: 'deaf', reason: FORCED }]);
  });
});
