import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  type Behaviour,
  eventually,
  type FrameClient,
  type GatewayProcess,
  gaps,
  httpBehaviours,
  startRedis,
  startTcpProxy,
  type TcpProxy,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster, readSession } from '../support/cluster/cluster.js';

/** m0 streams a beginning and then hangs; everything else is answered. */
const hangOnFirst: Behaviour = async (turn, context) => {
  if (turn.message_id !== 'm0') return context.respond.json({ content: `re ${turn.message_id}` });
  context.respond.stream('ndjson').delta('a beginning');
  await httpBehaviours.hang()(turn, context);
};

type Placement = {
  readonly where: string;
  /** Roles of each node. If only the first has the role worker, it runs every turn. */
  readonly nodes: readonly (readonly string[])[];
  /** The client is not on the node that runs the turn. */
  readonly isFar: boolean;
  /** Nothing that is published reaches the first node. */
  readonly isDeaf: boolean;
};

const whole = ['edge', 'worker'];
const split = [['worker'], ['edge']];
const placements: readonly Placement[] = [
  { where: 'on the node of the turn', nodes: [whole], isFar: false, isDeaf: false },
  { where: 'on another whole node', nodes: [whole, whole], isFar: true, isDeaf: false },
  { where: 'on an edge, roles split', nodes: split, isFar: true, isDeaf: false },
  { where: 'on an edge, the holder deaf', nodes: split, isFar: true, isDeaf: true },
];

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});

describe.each(placements)('a client $where', ({ nodes: roles, isFar, isDeaf }) => {
  let proxy: TcpProxy;
  let cluster: Cluster;
  let nodes: GatewayProcess[];
  let made = 0;

  beforeAll(async () => {
    proxy = await startTcpProxy(redis.port);
    cluster = await Cluster.open(redis, { lease: { ttl: '6s' } });
    nodes = [];
    for (const its of roles) {
      const url = isDeaf && nodes.length === 0 ? { redis: { url: proxy.url } } : {};
      nodes.push(await cluster.start({ gateway: { roles: its }, ...url }));
    }
    if (!isDeaf) return;
    // It cannot subscribe any more, and its subscriptions are cut.
    const cut = proxy.cutRequest(([name]) => /^subscribe$/i.test(name ?? ''), 1_000_000);
    await redis.client().call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await eventually(() => cut.hits > 0);
  });
  beforeEach(() => cluster.agent.behave(hangOnFirst));
  afterAll(async () => {
    await cluster.stop();
    await proxy.stop();
  });

  /** A session whose first turn runs; returns a client on the node that the placement names. */
  async function busy(): Promise<FrameClient> {
    made += 1;
    const session_id = `s${made}`;
    const [edge] = nodes.filter((_, at) => roles[at]?.includes('edge'));
    const asker = await cluster.attach(edge as GatewayProcess, { session_id });
    asker.message('first', { message_id: 'm0' });
    await asker.waitFor({ type: 'token_stream' }, 10_000);
    const { holder, is_executing } = await readSession(edge as GatewayProcess, session_id);
    expect(is_executing).toBe(true);
    const place = nodes.find(
      ({ nodeId }, at) => roles[at]?.includes('edge') && (nodeId !== holder) === isFar,
    );
    expect(place).toBeDefined();
    await asker.close();
    const client = await cluster.attach(place as GatewayProcess, { session_id });
    return client;
  }
  async function say(client: FrameClient, message_id: string, fields = {}): Promise<void> {
    client.message(message_id, { message_id, ...fields });
    await client.waitFor({ status: 'accepted', message_id });
  }
  const outcome = async (client: FrameClient, id: string) =>
    Object((await client.final(id, 8_000)).outcome).status;
  const order = (client: FrameClient) =>
    client.logged().flatMap(({ status, message_id }) => (status === 'final' ? [message_id] : []));

  it.each([
    ['abort', { type: 'abort' }],
    ['/stop', { type: 'message', content: '/stop' }],
  ])(
    'T6 %s ends the running turn within 5 s, and the next one runs',
    async (_name, frame) => {
      const client = await busy();
      await say(client, 'm1');
      const sentMs = performance.now();
      client.send(frame);
      await client.waitFor({ type: 'aborted' });
      expect(await outcome(client, 'm0')).toBe('aborted');
      expect(performance.now() - sentMs).toBeLessThan(5_000);
      expect(await outcome(client, 'm1')).toBe('ok');
      expect(gaps(client.logged())).toEqual([]);
    },
    20_000,
  );

  it('T1 T6 interrupt aborts the running turn and goes before what waits', async () => {
    const client = await busy();
    await say(client, 'm1');
    await say(client, 'm2', { mode: 'interrupt' });
    expect(await outcome(client, 'm1')).toBe('ok');
    expect(await outcome(client, 'm0')).toBe('aborted');
    expect(order(client)).toEqual(['m0', 'm2', 'm1']);
  }, 20_000);

  it('T1 collect, cancel and reject while a turn runs', async () => {
    const client = await busy();
    await say(client, 'm1', { mode: 'collect' });
    await say(client, 'm2', { mode: 'collect' });
    await say(client, 'm3');
    client.send({ type: 'cancel', message_id: 'm3' });
    await client.waitFor({ type: 'cancelled', message_id: 'm3' });
    client.message('m4', { message_id: 'm4', mode: 'reject' });
    const refusal = await client.waitFor({ type: 'error', message_id: 'm4' });
    expect(refusal).toMatchObject({ code: 'busy', retryable: true });
    client.send({ type: 'cancel', message_id: 'm0' });
    await client.waitFor({ type: 'error', code: 'not_pending', message_id: 'm0' });
    client.send({ type: 'abort' });
    expect(await outcome(client, 'm2')).toBe('ok');
    expect(await client.final('m1')).toMatchObject({ merged_into: 'm2', content: '' });
    expect(await outcome(client, 'm3')).toBe('cancelled');
    expect(order(client)).toEqual(['m3', 'm0', 'm1', 'm2']);
    const turns = cluster.agent.turns.filter(({ turn }) => turn.content === 'm1\n\nm2');
    expect(turns.length).toBeGreaterThan(0);
    expect(gaps(client.logged())).toEqual([]);
  }, 20_000);
});
