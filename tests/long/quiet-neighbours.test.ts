import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { sleep } from '@sluice/runtime';
import {
  eventually,
  type GatewayProcess,
  httpBehaviours,
  startHttpAgent,
  startRedis,
} from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';
import { startQuiet } from '../support/cluster/quiet-neighbours.js';

const SESSIONS = 64;
const TURN_MS = 500;
const AWAY_MS = 30_000;
const fixture = (name: string) =>
  fileURLToPath(new URL(`../support/agents/${name}`, import.meta.url));
const command = [process.execPath, fixture('deadly-command.mjs')];
const agents = {
  process: { mine: { kind: 'command', command } },
  node: { mine: { kind: 'module', path: fixture('deadly-module.mjs') } },
};

describe('quiet sessions beside one that does harm', () => {
  let cluster: Cluster;
  let isOver = false;
  let supervising: Promise<void> | undefined;
  let starts: number;
  beforeEach(async () => {
    isOver = false;
    starts = 0;
    cluster = await Cluster.open(await startRedis(), {
      lease: { ttl: '3s' },
      worker: { concurrency: SESSIONS + 1, sweep_interval: '200ms' },
    });
  });
  afterEach(async () => {
    isOver = true;
    await cluster.stop();
    await supervising;
  });

  /** Starts the worker again whenever it ends. */
  function supervise(config: Record<string, unknown>): void {
    const gateway = { roles: ['worker'], node_id: 'worker' };
    supervising = (async () => {
      while (!isOver) {
        const node: GatewayProcess = await cluster.start({ ...config, gateway });
        starts += 1;
        await node.exited;
      }
    })();
  }

  it.each(['process', 'node'] as const)(
    'T4 64 quiet sessions beside one that kills its %s: none of them is given up, the culprit is',
    async (what) => {
      const config = { agents: agents[what] };
      const edge = await cluster.start({ ...config, gateway: { roles: ['edge'] } });
      supervise(config);
      const quiet = await startQuiet(cluster, edge, { sessions: SESSIONS, turnMs: TURN_MS });
      const culprit = await cluster.attach(edge, { session_id: 'culprit', agent_id: 'mine' });
      // Three times if the session kills only its own process.
      for (let round = 1; round <= (what === 'process' ? 3 : 1); round += 1) {
        const final = await culprit.final(culprit.message('die'), 120_000);
        expect(final).toMatchObject({ outcome: { status: 'dead_lettered' }, attempt: 4 });
      }
      const before = quiet.outcomes.length;
      await quiet.stop();
      expect(new Set(quiet.outcomes)).toEqual(new Set(['ok']));
      expect(quiet.outcomes.length).toBeGreaterThanOrEqual(before + SESSIONS);
      expect(starts).toBe(what === 'process' ? 1 : 4);
      const letters = await fetch(`${edge.url}/v1/dead-letters?limit=100`);
      const { dead_letters } = (await letters.json()) as { dead_letters: { session_id: string }[] };
      expect(new Set(dead_letters.map(({ session_id }) => session_id))).toEqual(
        new Set(['culprit']),
      );
    },
    240_000,
  );

  it('T5 an agent that is away for 30 s costs no message', async () => {
    const port = Number(new URL(cluster.agent.url).port);
    const behaviour = httpBehaviours.delayMs(50);
    cluster.agent.behave(behaviour);
    const mine = { kind: 'http', url: cluster.agent.url };
    const node = await cluster.start({ agents: { mine } });
    const quiet = await startQuiet(cluster, node, { sessions: 16, turnMs: 50 });
    await eventually(() => quiet.outcomes.length > 16, 20_000);
    await cluster.agent.close();
    const before = quiet.outcomes.length;
    await sleep(AWAY_MS);
    expect(quiet.outcomes.length - before).toBeLessThanOrEqual(16);
    const back = await startHttpAgent({ port, behaviour });
    await quiet.stop();
    expect(quiet.outcomes.length).toBeGreaterThanOrEqual(before + 16);
    expect(new Set(quiet.outcomes)).toEqual(new Set(['ok']));
    await back.close();
  }, 120_000);
});
