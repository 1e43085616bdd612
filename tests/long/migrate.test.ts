import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sleep } from '@sluice/runtime';
import {
  checkHistory,
  drawnSeed,
  eventually,
  type GatewayProcess,
  startRedis,
  type TestRedis,
  turnOf,
} from '@sluice/testkit';
import { Conversation } from '../chaos/conversation.js';
import { drawMessages } from '../chaos/draw-messages.js';
import { Random } from '../chaos/random.js';
import { Recording } from '../chaos/recording.js';
import { Cluster } from '../support/cluster/cluster.js';
import { sluice } from '../support/cluster/sluice.js';
import { listedAt } from '../support/migrate/both-ends.js';
import { attach, openTestStore, refOf } from '../support/scripts/scripts-world.js';

const SESSIONS = 400;
const TALKERS = 12;
const SEED = drawnSeed;
const LEASE_TTL_MS = 3_000;
const [OLD_PARTITIONS, NEW_PARTITIONS] = [64, 16];
/** An address at which nobody listens. */
const NOWHERE = 'ws://127.0.0.1:1/ws';

describe('a move under live traffic', () => {
  const random = new Random(SEED);
  const recording = new Recording(() => {});
  let old: TestRedis;
  let target: TestRedis;
  let cluster: Cluster;
  let nodes: GatewayProcess[] = [];
  const config = {
    gateway: { drain_timeout: '5s', close_spread: '500ms' },
    lease: { ttl: `${LEASE_TTL_MS}ms` },
  };

  beforeAll(async () => {
    [old, target] = await Promise.all([startRedis(), startRedis()]);
    cluster = await Cluster.open(old, config);
    nodes = [await cluster.start(), await cluster.start()];
  }, 60_000);
  afterAll(() => cluster.stop());

  const talk = (session: string) => {
    const own = random.fork();
    return new Conversation({
      ...{ session, name: 'sender', recording, random: own, next: drawMessages(own) },
      wsUrl: () => nodes[own.between(0, nodes.length) | 0]?.wsUrl ?? NOWHERE,
    });
  };

  /** Runs the command, which dies at a failpoint if one is given. */
  async function run(more: readonly string[], failpoint = '') {
    const ends = ['--from', old.url, '--to', target.url, '--prefix', cluster.prefix];
    const env = { SLUICE_FAILPOINT: failpoint };
    return sluice(['migrate', ...ends, '--partitions', String(NEW_PARTITIONS), ...more], { env });
  }

  async function quietSessions(): Promise<void> {
    const { prefix } = cluster;
    const store = await openTestStore(old.url, { prefix, partitions: OLD_PARTITIONS });
    for (let n = 0; n < SESSIONS; n += 1) {
      const ref = refOf(`quiet-${n}`);
      await attach(store, ref, { agent: 'slow' });
      await store.inbox.append(ref, { messageId: 'm0', content: 'say hi', mode: 'enqueue' });
    }
    await eventually(async () => {
      const client = old.client();
      const { pending } = await listedAt({ client, prefix, partitions: OLD_PARTITIONS });
      client.disconnect();
      return pending.length < TALKERS;
    }, 30_000);
  }

  it('M1 M2 M3 loses, doubles and reorders nothing, wherever it is killed', async () => {
    await quietSessions();
    const names = Array.from({ length: TALKERS }, (_, index) => `talk-${index}`);
    const talkers = names.map(talk);
    const running = talkers.map((talker) => talker.run());

    const killed: (number | null)[] = [];
    for (const failpoint of ['session-arrive.before:3', 'session-arrive.after:90']) {
      killed.push((await run([], failpoint)).status);
    }
    for (let n = 0; n < 4; n += 1) {
      const pass = Math.floor(random.between(5, 400 * 2 ** n));
      killed.push((await run([], `other.${n % 2 ? 'after' : 'before'}:${pass}`)).status);
    }
    expect(killed).toEqual(killed.map(() => null));
    const copied = await run([]);
    expect(copied).toMatchObject({ status: 0 });
    const early = await run(['--finish']);
    expect(early.status).toBe(75);
    expect(early.stderr).toMatch(/nodes are running at --from .*: drain them all/);
    // Whoever is not being moved notices nothing.
    expect(recording.unexcused).toEqual([]);
    expect(recording.oddities).toEqual([]);
    expect(recording.acknowledged.length).toBeGreaterThan(TALKERS);

    const outage = { startMs: performance.now(), endMs: Number.POSITIVE_INFINITY };
    recording.outages.push(outage);
    const drained = nodes;
    nodes = [];
    await Promise.all(drained.map((node) => node.stop()));
    const points = ['key-seal.after:5', 'session-seal.after:40', 'session-arrive.before:2'];
    points.push('other.before:300', 'other.after:900', 'move-step.before:2', 'move-step.after:2');
    for (const point of points) {
      const { status } = await run(['--finish'], point);
      expect({ point, status }).toEqual({ point, status: null });
    }
    // The copy is complete: it dies in the steps that open it, or just opens it.
    await run(['--finish'], 'other.after:75');
    const finished = await run(['--finish']);
    expect(finished).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/start nodes|before/),
    });

    const { url } = target;
    const place = { redis: { url, partitions: NEW_PARTITIONS } };
    nodes = [await cluster.start(place), await cluster.start(place)];
    const acknowledged = recording.acknowledged.length;
    await eventually(() => recording.acknowledged.length > acknowledged + 2 * TALKERS, 20_000);
    for (const talker of talkers) talker.stopSending();
    await eventually(() => talkers.every(({ isSettled }) => isSettled), 30_000);
    await sleep(300);
    for (const talker of talkers) talker.leave();
    await Promise.all(running);

    const { findings, totals } = checkHistory({
      ...{ leaseTtlMs: LEASE_TTL_MS, cuttings: [], faults: recording.faults },
      ...{ sent: recording.sent, acknowledged: recording.acknowledged, views: recording.views },
      turns: cluster.agent.turns.map((turn) => turnOf(turn, 'fleet')),
      ...{ ends: [], forcedCloses: [], handOvers: [] },
    });
    process.stderr.write(`migrate: ${JSON.stringify({ ...totals, seed: SEED })}\n`);
    expect({ findings, oddities: recording.oddities }).toEqual({ findings: [], oddities: [] });
    // The log is the same, so that cursors go on: no client got a snapshot.
    const snapshots = recording.views.flatMap(({ frames }) =>
      frames.filter(({ kind }) => kind === 'snapshot'),
    );
    expect(snapshots).toEqual([]);
    const at = { client: target.client(), prefix: cluster.prefix, partitions: NEW_PARTITIONS };
    const { sessions } = await listedAt(at);
    expect(sessions.length).toBe(SESSIONS + TALKERS);
    for (const mode of [[], ['--finish']]) {
      expect((await run(mode)).stdout).toMatch(/was completed before: nothing was changed/);
    }
  }, 300_000);
});
