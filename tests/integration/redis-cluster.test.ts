import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { makeKeys, sessionKeyId } from '@sluice/store';
import {
  eventually,
  FrameClient,
  type GatewayProcess,
  gaps,
  slotOf,
  startGateway,
  startRedisCluster,
  type TestCluster,
} from '@sluice/testkit';

const PREFIX = 'c';
const keys = makeKeys(PREFIX, 64);
const stateOf = (session: string) => keys.session(sessionKeyId('local', session)).state;

describe('nodes on a Redis Cluster', () => {
  let redis: TestCluster;
  let nodes: GatewayProcess[];

  const startNode = () =>
    startGateway({
      config: {
        redis: { prefix: PREFIX, cluster: { nodes: redis.urls.slice(0, 2) } },
        lease: { ttl: '4s' },
      },
    });
  beforeAll(async () => {
    redis = await startRedisCluster({ masters: 3, replicas: 1 });
    nodes = [await startNode(), await startNode()];
  }, 60_000);
  afterAll(async () => {
    for (const node of nodes) await node.stop();
  });

  const nodeAt = (n: number): GatewayProcess => {
    const node = nodes[n % nodes.length];
    if (!node) throw new Error('no node');
    return node;
  };
  const attach = async (session_id: string, n = 0, more = {}) => {
    const client = await FrameClient.connect(nodeAt(n).wsUrl);
    const hello = await client.hello({ session_id, since: 0, ...more });
    return { client, hello };
  };
  /** A session on each of the three masters. */
  async function oneOnEach(name: string): Promise<string[]> {
    const found = new Map<string, string>();
    for (let n = 0; found.size < 3; n++) {
      const session = `${name}-${n}`;
      const { id } = await redis.masterOf(stateOf(session));
      if (!found.has(id)) found.set(id, session);
    }
    return [...found.values()];
  }

  const finalsOf = (client: FrameClient | undefined) =>
    (client?.logged() ?? []).filter(({ status }) => status === 'final');

  /** Sends messages one after the other until `stop`; each again under its id while it is refused as retryable. */
  function keepTalking(client: FrameClient) {
    let isStopped = false;
    const refusals: string[] = [];
    let n = 0;
    const talking = (async () => {
      while (!isStopped) {
        n += 1;
        const message_id = `m${n}`;
        for (;;) {
          client.message(`text ${n}`, { message_id });
          const from = client.frames.length;
          const isAnswer = (frame: (typeof client.frames)[number]) =>
            frame.message_id === message_id && (frame.status === 'final' || frame.type === 'error');
          await eventually(() => client.frames.slice(from).some(isAnswer), 20_000);
          const answer = client.frames.slice(from).find(isAnswer);
          if (answer?.type !== 'error') break;
          refusals.push(String(answer.code));
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
      }
      return n;
    })();
    return {
      refusals,
      async stop() {
        isStopped = true;
        return talking;
      },
    };
  }

  it('S2 E3 T1 serve sessions of every master, through any node', async () => {
    for (const [n, session] of (await oneOnEach('all')).entries()) {
      const { client } = await attach(session, n);
      const { client: other } = await attach(session, n + 1);
      await client.final(client.message('one'));
      await other.final(other.message('two'));
      await client.collect(2, { status: 'final' });
      await other.collect(2, { status: 'final' });
      expect(gaps(client.logged())).toEqual([]);
      expect(gaps(other.logged())).toEqual([]);
    }
  });

  it('T7 wake a lingering holder through the channel of its master: no second ring', async () => {
    const [session = ''] = await oneOnEach('wake');
    const { client } = await attach(session);
    await client.final(client.message('one'));
    const state = stateOf(session);
    const reader = redis.client();
    await eventually(async () => (await reader.hexists(state, 'holder')) === 1);
    const before = await reader.hmget(state, 'fence', 'ring');
    for (let n = 0; n < 5; n++) await client.final(client.message(`more ${n}`));
    expect(await reader.hmget(state, 'fence', 'ring')).toEqual(before);
  });

  it('C3 E3 T1 go on while the slots of their sessions move, and lose, double and reorder nothing', async () => {
    const sessions = await oneOnEach('move');
    const clients = await Promise.all(
      sessions.map(async (session, n) => (await attach(session, n)).client),
    );
    const readers = await Promise.all(
      sessions.map(async (session, n) => (await attach(session, n + 1)).client),
    );
    const talks = clients.map(keepTalking);
    const slots = sessions.map((session) => slotOf(stateOf(session)));
    for (const to of [...redis.nodes.slice(0, 3), ...redis.nodes.slice(0, 3)]) {
      await redis.moveSlots(slots, to);
      // A reader follows one change of the epoch at a time: two within its reading cost it a snapshot (E4).
      const progress = () => [...clients, ...readers].map((it) => finalsOf(it).length);
      const before = progress();
      await eventually(() => progress().every((it, at) => it > (before[at] ?? 0) + 1), 20_000);
    }
    await redis.settled();
    const counts = await Promise.all(talks.map((talk) => talk.stop()));
    for (const [at, client] of clients.entries()) {
      const count = counts[at] ?? 0;
      const finals = () => finalsOf(readers[at]);
      await eventually(() => finals().length === count, 10_000);
      const expected = Array.from({ length: count }, (_, n) => `m${n + 1}`);
      expect(finals().map(({ message_id }) => message_id)).toEqual(expected);
      expect(gaps(readers[at]?.logged() ?? [])).toEqual([]);
      expect(gaps(client.logged())).toEqual([]);
    }
    expect(talks.flatMap(({ refusals }) => refusals)).toEqual([]);
  }, 90_000);

  it('E2 a moved session has a new epoch that its readers follow without a resync', async () => {
    const session = 'epoch';
    const { client, hello: before } = await attach(session);
    await client.final(client.message('one'));
    const from = await redis.masterOf(stateOf(session));
    const to = redis.nodes.find(({ id, replicaOf }) => replicaOf === undefined && id !== from.id);
    await redis.moveSlots([slotOf(stateOf(session))], to ?? from);
    await client.final(client.message('two'));
    const { client: again, hello } = await attach(session, 1, { since: 1, epoch: before.epoch });
    expect(hello).toMatchObject({ resync_required: false });
    expect(Number(hello.epoch)).toBeGreaterThan(Number(before.epoch));
    await again.collect(Number(hello.cursor) - 1, { type: 'replay' });
    expect(gaps(again.logged(), 1)).toEqual([]);
  });

  it('C3 E2 a lost master: its sessions are unavailable until a replica takes over, others go on', async () => {
    await redis.settled();
    const sessions = await oneOnEach('lost');
    const clients = await Promise.all(
      sessions.map(async (session, n) => (await attach(session, n)).client),
    );
    for (const client of clients) await client.final(client.message('before'));
    // `c:nodes` is on one of them: the node goes on with the nodes that it knew.
    const lost = await redis.masterOf(keys.nodes);
    const masters = await Promise.all(sessions.map((it) => redis.masterOf(stateOf(it))));
    const at = masters.findIndex(({ id }) => id === lost.id);
    const victim = clients[at];
    const others = clients.filter((_, index) => index !== at);
    // The replica has everything: what was acknowledged stays.
    await eventually(async () => (await lost.direct.wait(1, 1_000)) >= 1);
    await lost.stop('SIGKILL');
    victim?.message('meanwhile', { message_id: 'victim' });
    expect(await victim?.waitFor({ type: 'error' })).toMatchObject({
      code: 'unavailable',
      retryable: true,
    });
    for (const other of others) await other.final(other.message('meanwhile'));
    expect((await fetch(`${nodeAt(0).url}/ready`)).status).toBe(200);

    await eventually(async () => {
      victim?.message('meanwhile', { message_id: 'victim' });
      await new Promise((resolve) => setTimeout(resolve, 200));
      return victim?.logged().some((it) => it.status === 'final' && it.message_id === 'victim');
    }, 30_000);
    const log = victim?.logged() ?? [];
    expect(gaps(log)).toEqual([]);
    expect(log.filter((it) => it.status === 'final')).toHaveLength(2);
    for (const other of others) await other.final(other.message('after'));
    await lost.start();
    await redis.settled();
    for (const client of clients) await client.final(client.message('end'));
  }, 60_000);
});
