import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sleep } from '@sluice/runtime';
import {
  type Behaviour,
  eventually,
  type GatewayProcess,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster, readSession } from '../support/cluster/cluster.js';
import { Follower, type Transport } from '../support/cluster/follower.js';

const transports: readonly Transport[] = ['WebSocket', 'Server-Sent Events'];
const words = 25;
const everyMs = 80;

/** Streams words that name their run, so that words of a void run show. The last come after `over` aborts. */
function wordy(over: AbortSignal): Behaviour {
  let runs = 0;
  return async (_turn, { respond, signal }) => {
    runs += 1;
    const run = runs;
    const writer = respond.stream('ndjson');
    let text = '';
    const isHeld = (word: number) => word > words - 5 && !over.aborted;
    for (let word = 1; word <= words; ) {
      await sleep(everyMs, signal);
      if (signal.aborted) return;
      if (isHeld(word)) continue;
      writer.delta(`${run}.${word} `);
      text += `${run}.${word} `;
      word += 1;
    }
    writer.final(text);
  };
}

async function post(node: GatewayProcess, session: string, messageId: string): Promise<void> {
  const body = JSON.stringify({ agent_id: 'slow', content: 'tell', message_id: messageId });
  const url = `${node.url}/v1/sessions/${session}/messages`;
  expect((await fetch(url, { method: 'POST', body })).status).toBe(202);
}

describe('a client that moves in the middle of a streamed reply', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  let follower: Follower;
  let moved: AbortController;
  beforeAll(async () => {
    redis = await startRedis({ args: ['--appendfsync', 'no'] });
  });
  beforeEach(async () => {
    // Long, so that a test fails if the next holder has to wait until the lease expires.
    cluster = await Cluster.open(redis, { lease: { ttl: '20s' } });
    moved = new AbortController();
    cluster.agent.behave(wordy(moved.signal));
  });
  afterEach(async () => {
    follower.close();
    await cluster.stop();
  });

  /** Sends a message to `node`; a follower there has then seen the first words of the reply. */
  async function begin(transport: Transport, node: GatewayProcess): Promise<void> {
    await post(node, 's', 'm1');
    await follow(transport, node);
  }

  async function follow(transport: Transport, node: GatewayProcess): Promise<void> {
    follower = new Follower(transport, 's');
    await follower.attach(node);
    await eventually(() => follower.shown('m1').length >= 12, 10_000);
  }

  /** Starts two nodes; the first holds the session and has the follower. */
  async function beginAtHolder(transport: Transport, config: Record<string, unknown>) {
    const nodes = [await cluster.start(config), await cluster.start(config)] as const;
    await post(nodes[0], 's', 'm1');
    await eventually(() => cluster.agent.turns.length === 1);
    const { holder } = await readSession(nodes[0], 's');
    const [holding, other] = holder === nodes[0].nodeId ? nodes : [nodes[1], nodes[0]];
    await follow(transport, holding);
    return { holding, other };
  }

  const retries = () => follower.frames.filter(({ type }) => type === 'retry_stream');
  const turnIds = () => cluster.agent.turns.map(({ turn }) => turn.turn_id);

  // The follower comes back before its turn is cut, and sees it, or only afterwards.
  const spreads = ['200ms', '1s'];
  const moves = transports.flatMap((transport) =>
    spreads.map((spread): [Transport, string] => [transport, spread]),
  );

  it.each(moves)(
    'D6 D3 E3 over %s, closed within %s, sees every character once, though its turn is cut and starts again',
    async (transport, close_spread) => {
      const draining = { gateway: { drain_timeout: '1s', close_spread } };
      const { holding, other } = await beginAtHolder(transport, draining);
      holding.signal('SIGTERM');
      await follower.attach(other);
      await follower.until(({ type }) => type === 'session_end');
      moved.abort();
      const final = await follower.final('m1');

      expect(turnIds()).toHaveLength(2);
      expect(cluster.agent.turns[0]?.closedByPeer).toBe(true);
      expect(retries()).toMatchObject([{ data: { message_id: 'm1', turn_id: turnIds()[1] } }]);
      const text = String(final.content);
      expect(text.split(' ').filter((word) => word.startsWith('2.'))).toHaveLength(words);
      expect(follower.shown('m1')).toBe(text);
      expect(follower.gaps).toEqual([]);
      expect((await holding.exited).code).toBe(0);
    },
  );

  it.each(transports)(
    'D6 E3 over %s sees every character once while its turn goes on elsewhere',
    async (transport) => {
      const worker = await cluster.start({ gateway: { roles: ['worker'] } });
      const edges = { gateway: { roles: ['edge'], drain_timeout: '1s' } };
      const [first, second] = [await cluster.start(edges), await cluster.start(edges)];
      await begin(transport, first);
      first.signal('SIGTERM');
      const before = follower.frames.length;
      await follower.attach(second);
      moved.abort();
      const final = await follower.final('m1');

      expect(turnIds()).toHaveLength(1);
      expect(retries()).toEqual([]);
      expect(follower.frames.length).toBeGreaterThan(before + 5);
      expect(follower.shown('m1')).toBe(final.content);
      expect(String(final.content).trim().split(' ')).toHaveLength(words);
      expect(follower.gaps).toEqual([]);
      expect((await first.exited).code).toBe(0);
      expect(await readSession(second, 's')).toMatchObject({ holder: worker.nodeId });
    },
  );

  it.each(transports)(
    'D6 C1 over %s sees every character once when its node dies',
    async (transport) => {
      const { holding, other } = await beginAtHolder(transport, { lease: { ttl: '2s' } });
      await holding.kill();
      await follower.attach(other);
      moved.abort();
      const final = await follower.final('m1');
      expect(retries()).toMatchObject([{ data: { message_id: 'm1', turn_id: turnIds()[1] } }]);
      expect(follower.shown('m1')).toBe(final.content);
      expect(follower.gaps).toEqual([]);
    },
  );
});
