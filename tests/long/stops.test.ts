import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  drawnSeed,
  eventually,
  type GatewayProcess,
  httpBehaviours,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster, readSession } from '../support/cluster/cluster.js';
import { stopInSession, wrongWith } from '../support/cluster/stopping.js';

const SESSIONS = 20;
const ROUNDS = 50;
const WAITING = 100;

describe('stops at any moment', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  let nodes: GatewayProcess[];
  beforeAll(async () => {
    redis = await startRedis();
    cluster = await Cluster.open(redis, {
      agents: { limited: { kind: 'echo', delay_ms: 600_000, max_concurrent: 1 } },
    });
    nodes = [await cluster.start(), await cluster.start()];
  });
  afterAll(() => cluster.stop());

  it('T6 1,000 stops within 20 ms of their messages stop what they were meant for, or nothing', async () => {
    cluster.agent.behave(httpBehaviours.delayMs(10));
    const seed = drawnSeed;
    const sessions = Array.from({ length: SESSIONS }, (_, at) =>
      stopInSession(cluster, nodes, { session_id: `s${at}`, rounds: ROUNDS, seed: seed + at }),
    );
    const rounds = (await Promise.all(sessions)).flat();
    const stopped = rounds.filter(({ answer }) => answer.type === 'aborted').length;
    const begun = rounds.filter(({ attempt }) => attempt > 0).length;
    console.info(
      `seed ${seed}: ${rounds.length} stops, ${stopped} in time, ${begun} after the begin`,
    );
    expect(rounds).toHaveLength(SESSIONS * ROUNDS);
    expect(rounds.map(wrongWith).filter(Boolean)).toEqual([]);
    expect(stopped).toBeGreaterThan(0);
  }, 240_000);

  it('T6 100 messages that wait for a permit are stopped, and no other', async () => {
    const [node, other] = nodes as [GatewayProcess, GatewayProcess];
    const holder = await cluster.attach(node, { session_id: 'holder', agent_id: 'limited' });
    holder.message('has the permit', { message_id: 'm1' });
    await eventually(async () =>
      expect(await readSession(node, 'holder')).toMatchObject({ is_executing: true }),
    );
    const waiting = Array.from({ length: WAITING }, async (_, at) => {
      const hello = { session_id: `w${at}`, agent_id: 'limited' };
      const client = await cluster.attach(at % 2 === 0 ? node : other, hello);
      client.message('waits for a permit', { message_id: 'm1' });
      await client.waitFor({ status: 'accepted' }, 30_000);
      client.send({ type: 'abort', ...(at % 3 === 0 ? { message_id: 'm1' } : {}) });
      const answer = await client.waitFor({ type: 'aborted' }, 30_000);
      const { outcome, attempt } = await client.final('m1', 30_000);
      await client.close();
      return { message_id: answer.message_id, outcome, attempt };
    });
    const stopped = {
      message_id: 'm1',
      outcome: { status: 'aborted', reason: 'user' },
      attempt: 0,
    };
    expect(await Promise.all(waiting)).toEqual(waiting.map(() => stopped));
    expect(await readSession(node, 'holder')).toMatchObject({ is_executing: true });
    expect(holder.frames.filter(({ status }) => status === 'final')).toEqual([]);
  }, 120_000);
});
