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
import { Cluster, readSession } from './cluster.js';

/** m0 streams a beginning and then hangs; everything else is answered. */
const hangOnFirst: Behaviour = async (turn, context) => {
  if (turn.message_id !== 'm0') return context.respond.json({ content: `re ${turn.message_id}` });
  context.respond.stream('ndjson').delta('a beginning');
  await httpBehaviours.hang()(turn, context);
};

type Placement = {
  readonly where: string;
  /** Roles of the node that runs the turns, and of the one that the client is on. */
  readonly holder: readonly string[];
  readonly edge: readonly string[] | undefined;
  /** Nothing that is published reaches the holder. */
  readonly isDeaf: boolean;
};

const placements: readonly Placement[] = [
  { where: 'on the node of the turn', holder: ['edge', 'worker'], edge: undefined, isDeaf: false },
  { where: 'on another node', holder: ['worker'], edge: ['edge'], isDeaf: false },
  { where: 'on another node, the holder deaf', holder: ['worker'], edge: ['edge'], isDeaf: true },
];

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});

describe.each(placements)('a client $where', ({ holder, edge, isDeaf }) => {
  let proxy: TcpProxy;
  let cluster: Cluster;
  let node: GatewayProcess;
  let worker: GatewayProcess;
  let made = 0;

  beforeAll(async () => {
    proxy = await startTcpProxy(redis.port);
    cluster = await Cluster.open(redis, { lease: { ttl: '6s' } });
    worker = await cluster.start({
      gateway: { roles: holder },
      ...(edge ? { redis: { url: proxy.url } } : {}),
    });
    node = edge ? await cluster.start({ gateway: { roles: edge } }) : worker;
    if (!isDeaf) return;
    // It subscribes no more, and what it was subscribed to is cut.
    const cut = proxy.cutRequest(([name]) => /^subscribe$/i.test(name ?? ''), 1_000_000);
    await redis.client().call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await eventually(() => cut.hits > 0);
  });
  beforeEach(() => cluster.agent.behave(hangOnFirst));
  afterAll(async () => {
    await cluster.stop();
    await proxy.stop();
  });

  /** A session whose first turn runs on the worker. */
  async function busy(): Promise<{ client: FrameClient; session_id: string }> {
    made += 1;
    const session_id = `s${made}`;
    const client = await cluster.attach(node, { session_id });
    client.message('first', { message_id: 'm0' });
    await client.waitFor({ type: 'token_stream' }, 10_000);
    expect(await readSession(node, session_id)).toMatchObject({
      is_executing: true,
      holder: worker.nodeId,
    });
    return { client, session_id };
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
      const { client } = await busy();
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
    const { client } = await busy();
    await say(client, 'm1');
    await say(client, 'm2', { mode: 'interrupt' });
    expect(await outcome(client, 'm1')).toBe('ok');
    expect(await outcome(client, 'm0')).toBe('aborted');
    expect(order(client)).toEqual(['m0', 'm2', 'm1']);
  }, 20_000);

  it('T1 collect, cancel and reject while a turn runs', async () => {
    const { client } = await busy();
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
