import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { sleep } from '@sluice/runtime';
import {
  eventually,
  FrameClient,
  type GatewayProcess,
  gaps,
  httpBehaviours,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster, readSession } from './cluster.js';

const TTL_MS = 2_000;
const ids = ['m1', 'm2', 'm3'];

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

  const sessions = Array.from({ length: 5 }, (_, i) => `s${i + 1}`);
  /** Sends three messages to each session, then closes all connections. */
  async function fill(): Promise<void> {
    for (const session_id of sessions) {
      const client = await cluster.attach(edge, { session_id });
      for (const message_id of ids) client.message(`to ${session_id}`, { message_id });
      await client.waitFor({ status: 'accepted', message_id: 'm3' });
      client.cut();
    }
    await eventually(() => cluster.agent.turns.length >= sessions.length);
  }
  const begunBehind = (atMs: number, session: string) =>
    cluster.agent.turns.find(
      ({ turn, startedAt }) => turn.session_id === session && startedAt.monotonicMs > atMs,
    );
  /** L5: pairs of turns of one session that ran at the same time, beyond the error of measuring two ends. */
  const overlaps = () =>
    sessions.flatMap((session) => {
      const turns = cluster.agent.turns.filter(({ turn }) => turn.session_id === session);
      return turns.flatMap(({ endedAt, turn }, at) =>
        turns
          .slice(at + 1)
          .filter((next) => (endedAt?.monotonicMs ?? Infinity) - 50 > next.startedAt.monotonicMs)
          .map((next) => [session, turn.message_id, next.turn.message_id]),
      );
    });
  /** Each message has one outcome, in order, and the log is dense. */
  async function expectWhole(statuses: readonly string[] = ids.map(() => 'ok')): Promise<void> {
    for (const session_id of sessions) {
      await eventually(async () => (await cluster.inbox(session_id)).length === 0, 15_000);
      const client = await cluster.attach(edge, { session_id });
      await client.final('m3');
      const finals = client.logged().filter(({ status }) => status === 'final');
      expect(finals.map(({ message_id }) => message_id)).toEqual(ids);
      expect(finals.map(({ outcome }) => Object(outcome).status)).toEqual(statuses);
      expect(gaps(client.logged())).toEqual([]);
      await client.close();
    }
  }

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
