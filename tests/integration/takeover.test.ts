import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  eventually,
  type GatewayProcess,
  httpBehaviours,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster, readSession } from '../support/cluster/cluster.js';
import { fiveSessions, ids } from '../support/cluster/five-sessions.js';

const TTL_MS = 2_000;

describe('a node that is gone', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  let edge: GatewayProcess;
  beforeEach(async () => {
    redis = await startRedis();
    cluster = await Cluster.open(redis, {
      gateway: { drain_timeout: '4s', close_spread: '100ms' },
      lease: { ttl: `${TTL_MS}ms` },
    });
    edge = await cluster.start({ gateway: { roles: ['edge'] } });
  });
  afterEach(() => cluster.stop());

  const { begunBehind, expectWhole, fill, overlaps, sessions } = fiveSessions(() => ({
    cluster,
    edge,
  }));

  it('C1 C2 L5 SIGKILL: another goes on with its sessions within the TTL and 2 s, without any client', async () => {
    const holder = await cluster.start({ gateway: { roles: ['worker'] } });
    cluster.agent.behave(httpBehaviours.hang());
    await fill();
    await cluster.start({ gateway: { roles: ['worker'] } });
    cluster.agent.behave(httpBehaviours.delayMs(20));
    const killedMs = performance.now();
    await holder.kill();
    await eventually(() => sessions.every((it) => begunBehind(killedMs, it)), 10_000);
    for (const session of sessions) {
      const next = begunBehind(killedMs, session);
      expect((next?.startedAt.monotonicMs ?? 0) - killedMs).toBeLessThan(TTL_MS + 2_000);
      expect(next?.turn).toMatchObject({ message_id: 'm1', attempt: 2 });
    }
    await expectWhole();
    expect(overlaps()).toEqual([]);
  }, 40_000);

  it('D2 D8 L5 all are told to stop at once: the last one drains its own, what the others had waits', async () => {
    // Two nodes have no room for five sessions: each node has at least one.
    const workers = await Promise.all(
      [1, 2, 3].map(() =>
        cluster.start({
          gateway: { roles: ['worker'], drain_timeout: '10s' },
          worker: { concurrency: 2 },
        }),
      ),
    );
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    cluster.agent.behave(async (turn, context) => {
      if (turn.message_id === 'm1') await released;
      await httpBehaviours.delayMs(200)(turn, context);
    });
    await fill();
    const holders = new Map<string, unknown>();
    for (const it of sessions) holders.set(it, (await readSession(edge, it)).holder);
    expect(new Set(holders.values()).size).toBe(3);
    for (const worker of workers) worker.signal('SIGTERM');
    await eventually(async () => {
      const marks = await redis.client().hvals(cluster.keys.nodes);
      return marks.filter((mark) => mark.split(' ')[1] === 'draining').length === 3;
    });
    release();
    const exits = await Promise.all(workers.map(({ exited }) => exited));
    expect(exits.map(({ code }) => code)).toEqual([0, 0, 0]);
    // Nobody was cut: every turn that was begun was answered.
    expect(cluster.agent.turns.filter(({ closedByPeer }) => closedByPeer)).toEqual([]);
    expect(await cluster.sessionEnds()).toEqual([]);
    const waiting = await Promise.all(sessions.map((it) => cluster.inbox(it)));
    const drained = sessions.filter((_, at) => waiting[at]?.length === 0);
    const last = holders.get(drained[0] ?? '');
    expect(drained).not.toEqual([]);
    expect(drained).toEqual(sessions.filter((it) => holders.get(it) === last));
    await cluster.start({ gateway: { roles: ['worker'] } });
    await expectWhole();
    expect(cluster.agent.turns).toHaveLength(sessions.length * ids.length);
    expect(overlaps()).toEqual([]);
  }, 60_000);
});
