import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type GatewayProcess, httpBehaviours, startRedis } from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';
import { scrape } from '../support/cluster/metric-samples.js';
import { startQuiet } from '../support/cluster/quiet-neighbours.js';

const program = fileURLToPath(new URL('../support/agents/deadly-command.mjs', import.meta.url));
const deadlyModule = fileURLToPath(new URL('../support/agents/deadly-module.mjs', import.meta.url));

describe('a message that kills what runs it', () => {
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeAll(async () => {
    cluster = await Cluster.open(await startRedis(), {
      agents: {
        mine: {
          ...{ kind: 'command', command: [process.execPath, program] },
          retry: { initial: '50ms', max: '100ms' },
        },
        inside: { kind: 'module', path: deadlyModule },
      },
      worker: { max_attempts: 2 },
    });
    node = await cluster.start();
  });
  afterAll(() => cluster.stop());

  it('T4 a message that kills the process of its agent is given up, and no quiet session is', async () => {
    const quiet = await startQuiet(cluster, node, { sessions: 12, turnMs: 150 });
    const culprit = await cluster.attach(node, { session_id: 'culprit', agent_id: 'mine' });
    const finals = [culprit.message('die'), culprit.message('die'), culprit.message('1')];
    const [first, second, last] = await Promise.all(finals.map((id) => culprit.final(id, 30_000)));
    await quiet.stop();
    for (const final of [first, second]) {
      expect(final).toMatchObject({
        attempt: 3,
        outcome: { status: 'dead_lettered', reason: "the agent's process was ended by SIGKILL" },
      });
    }
    expect(last).toMatchObject({ outcome: { status: 'ok' }, attempt: 1 });
    expect(quiet.outcomes.length).toBeGreaterThanOrEqual(12);
    expect(new Set(quiet.outcomes)).toEqual(new Set(['ok']));

    const ends = node.logs.filter(({ msg }) => msg === 'a process of the agent ended');
    expect(ends).toHaveLength(6);
    expect(ends[0]).toMatchObject({ level: 'warn', agent: 'mine', why: 'was ended by SIGKILL' });
    const letters = node.logs.filter(({ msg }) => msg === 'dead letter');
    expect(letters).toMatchObject([
      { level: 'warn', session_id: 'culprit', agent: 'mine', why: 'attempts_cut_short' },
      { level: 'warn', session_id: 'culprit' },
    ]);
    const stray = node.logs.find(({ msg }) =>
      String(msg).startsWith('the agent wrote to its stdout'),
    );
    expect(stray).toMatchObject({ level: 'warn', agent: 'mine', lines: 1 });
    const { sum } = await scrape(node.url);
    expect(sum('sluice_agent_process_ends_total', { agent: 'mine' })).toBe(6);
    expect(sum('sluice_turn_retries_total', { reason: 'process_died' })).toBeGreaterThanOrEqual(4);
  });

  it('T4 the last attempt of a module cannot end the node', async () => {
    const client = await cluster.attach(node, { session_id: 'inside', agent_id: 'inside' });
    const { state } = cluster.sessionKeys('inside');
    const redis = cluster.redis.client();
    // The state after two nodes have died of this message.
    await client.close();
    const edge = await cluster.start({ gateway: { roles: ['edge'] } });
    const again = await cluster.attach(edge, { session_id: 'inside', agent_id: 'inside' });
    await redis.hset(state, { batch: 1, attempt: 2, cuts: 1, turn_word: 'begun' });
    const id = again.message('die');
    expect(await again.final(id, 20_000)).toMatchObject({
      outcome: { status: 'dead_lettered' },
      attempt: 3,
    });
    expect((await fetch(`${node.url}/ready`)).status).toBe(200);
  });

  it('T4 last attempts that have no process of their own run one at a time on a node', async () => {
    cluster.agent.behave(httpBehaviours.delayMs(400));
    const ends = ['one', 'two', 'three'].map(async (session_id) => {
      const client = await cluster.attach(node, { session_id });
      const { state } = cluster.sessionKeys(session_id);
      await cluster.redis
        .client()
        .hset(state, { batch: 1, attempt: 2, cuts: 1, turn_word: 'begun' });
      return client.final(client.message('hello'), 20_000);
    });
    for (const final of await Promise.all(ends)) {
      expect(final).toMatchObject({ outcome: { status: 'ok' }, attempt: 3 });
    }
    const turns = cluster.agent.turns.toSorted(
      (a, b) => a.startedAt.monotonicMs - b.startedAt.monotonicMs,
    );
    expect(turns).toHaveLength(3);
    for (const [at, { startedAt }] of turns.entries()) {
      const before = turns[at - 1]?.endedAt?.monotonicMs ?? 0;
      expect(startedAt.monotonicMs).toBeGreaterThanOrEqual(before);
    }
  });
});
