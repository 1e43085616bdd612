import { fileURLToPath } from 'node:url';
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

/** Streams a beginning for m1 and then hangs; answers everything else. */
const hangOnFirst: Behaviour = async (turn, context) => {
  if (turn.message_id !== 'm1') return context.respond.json({ content: 'done' });
  context.respond.stream('ndjson').delta('a beginning');
  await httpBehaviours.hang()(turn, context);
};

describe('abort', () => {
  let redis: TestRedis;
  let proxy: TcpProxy;
  let cluster: Cluster;
  let node: GatewayProcess;
  const path = fileURLToPath(new URL('../support/agents/deaf-agent.mjs', import.meta.url));
  const deaf = { agents: { deaf: { kind: 'module', path } } };
  beforeAll(async () => {
    redis = await startRedis();
    proxy = await startTcpProxy(redis.port);
    // The lease is the default one: of 10 s, renewed every 2 s.
    cluster = await Cluster.open(redis, {
      redis: { url: proxy.url },
      lease: { ttl: '10s' },
      ...deaf,
    });
    node = await cluster.start();
  });
  afterAll(() => cluster.stop());
  beforeEach(() => cluster.agent.behave(hangOnFirst));

  /** A session with m1 running and m2 waiting. */
  async function busy(session_id: string, at = node) {
    const client = await cluster.attach(at, { session_id });
    client.message('first', { message_id: 'm1' });
    await client.waitFor({ type: 'token_stream' });
    client.message('second', { message_id: 'm2' });
    await client.waitFor({ status: 'accepted', message_id: 'm2' });
    return client;
  }
  const turnsOf = (session_id: string) =>
    cluster.agent.turns.filter(({ turn }) => turn.session_id === session_id);

  async function expectAborted(client: FrameClient, session_id: string, reason = 'user') {
    expect(await client.waitFor({ type: 'aborted' })).toMatchObject({ session_id });
    expect(await client.final('m1', 5_000)).toMatchObject({
      outcome: { status: 'aborted', reason },
      content: 'a beginning',
    });
    expect(await client.final('m2')).toMatchObject({ outcome: { status: 'ok' }, content: 'done' });
    const [first, ...rest] = turnsOf(session_id);
    expect(first).toMatchObject({ closedByPeer: true });
    expect(rest.map(({ turn }) => turn.message_id)).toEqual(['m2']);
    expect(gaps(client.logged())).toEqual([]);
  }

  it('T6 stops the running turn; what waits then runs', async () => {
    const client = await busy('plain');
    client.send({ type: 'abort' });
    await expectAborted(client, 'plain');
  });

  it.each([
    ['message_abort', { type: 'message_abort', reason: 'changed my mind' }, 'changed my mind'],
    ['/stop', { type: 'message', content: '/stop' }, 'user'],
    ['stop', { content: 'stop' }, 'user'],
    ['text /stop', { type: 'message', text: '/stop', message_id: 's1' }, 'user'],
  ])('T6 %s does the same, and is no message', async (name, frame, reason) => {
    const session_id = name.replaceAll(/\W/g, '-');
    const client = await busy(session_id);
    client.send(frame);
    await expectAborted(client, session_id, reason);
    expect(client.logged().filter(({ status }) => status === 'accepted')).toHaveLength(2);
  });

  it.each([{ type: 'abort' }, { content: 'stop' }])(
    'T6 without a running turn the answer is no_active_turn: %j',
    async (frame) => {
      const client = await cluster.attach(node, { session_id: 'idle' });
      const before = await readSession(node, 'idle');
      client.send(frame);
      expect(await client.waitFor({ type: 'no_active_turn' })).toMatchObject({
        session_id: 'idle',
      });
      expect(await readSession(node, 'idle')).toEqual(before);
    },
  );

  it('T6 an agent that ignores its signal does not hold the session for 5 s', async () => {
    const client = await cluster.attach(node, { session_id: 'deaf', agent_id: 'deaf' });
    client.message('20000', { message_id: 'm1' });
    client.message('1', { message_id: 'm2' });
    await client.waitFor({ type: 'token_stream' });
    const sentMs = performance.now();
    client.send({ type: 'abort' });
    expect(await client.final('m1')).toMatchObject({ outcome: { status: 'aborted' } });
    expect(performance.now() - sentMs).toBeLessThan(5_000);
    expect(await client.final('m2')).toMatchObject({ outcome: { status: 'ok' } });
  });

  it('T6 never hits a later turn, however often it is sent', async () => {
    const client = await cluster.attach(node, { session_id: 'later', agent_id: 'deaf' });
    client.message('600', { message_id: 'm1' });
    client.message('300', { message_id: 'm2' });
    client.message('1', { message_id: 'm3' });
    await client.waitFor({ type: 'token_stream' });
    for (let i = 0; i < 20; i += 1) client.send({ type: 'abort' });
    await client.collect(20, { type: 'aborted' });
    expect(await client.final('m1')).toMatchObject({ outcome: { status: 'aborted' } });
    expect(await client.final('m2')).toMatchObject({ outcome: { status: 'ok' } });
    expect(await client.final('m3')).toMatchObject({ outcome: { status: 'ok' } });
  });

  it('T6 aborts at any moment of quick turns leave one outcome each, in order', async () => {
    const client = await cluster.attach(node, { session_id: 'quick' });
    cluster.agent.behave(httpBehaviours.delayMs(3));
    const ids = Array.from({ length: 60 }, (_, i) => `q${i}`);
    for (const message_id of ids) {
      client.message('quick', { message_id });
      client.send({ type: 'abort' });
    }
    const finals = await client.collect(ids.length, { status: 'final' });
    expect(finals.map(({ message_id }) => message_id)).toEqual(ids);
    const answers = client.frames.filter(({ type }) => /^(aborted|no_active_turn)$/.test(type));
    expect(answers).toHaveLength(ids.length);
    const aborted = finals.filter(({ outcome }) => Object(outcome).status === 'aborted').length;
    expect(aborted).toBeLessThanOrEqual(answers.filter(({ type }) => type === 'aborted').length);
    const id = client.message('after');
    expect(await client.final(id)).toMatchObject({ outcome: { status: 'ok' } });
  });

  it('T6 reaches its turn within 5 s right after publish/subscribe was cut', async () => {
    const client = await busy('killed');
    const sentMs = performance.now();
    await redis.client().call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    client.send({ type: 'abort' });
    await expectAborted(client, 'killed');
    expect(performance.now() - sentMs).toBeLessThan(5_000);
  });

  it('T6 reaches its turn within 5 s while publish/subscribe is down', async () => {
    const client = await busy('down');
    const cut = proxy.cutRequest(([name]) => /^subscribe$/i.test(name ?? ''), 1_000);
    await redis.client().call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await eventually(() => cut.hits > 0);
    const sentMs = performance.now();
    client.send({ type: 'abort' });
    await client.waitFor({ type: 'aborted' });
    await eventually(() => turnsOf('down')[0]?.closedByPeer === true);
    await eventually(async () => {
      const { messages } = await readSession(node, 'down');
      expect(messages).toMatchObject([{}, { outcome: { status: 'aborted' } }, {}, {}]);
    });
    expect(performance.now() - sentMs).toBeLessThan(5_000);
    // Once it is back, the client gets what it missed.
    cut.cancel();
    await expectAborted(client, 'down');
  });

  it('T6 works from another node than the one that runs the turn', async () => {
    const edge = await cluster.start({ gateway: { roles: ['edge'] } });
    const client = await busy('far', edge);
    expect(await readSession(edge, 'far')).toMatchObject({ holder: node.nodeId });
    client.send({ type: 'abort' });
    await expectAborted(client, 'far');
  });

  it('T6 is not forgotten by a takeover', async () => {
    const own = await Cluster.open(redis, { lease: { ttl: '1s' }, ...deaf });
    const first = await own.start();
    const client = await own.attach(first, { session_id: 'taken', agent_id: 'deaf' });
    client.message('20000', { message_id: 'm1' });
    client.message('1', { message_id: 'm2' });
    await client.waitFor({ type: 'token_stream' });
    client.send({ type: 'abort' });
    await client.waitFor({ type: 'aborted' });
    await first.kill();
    const next = await own.start();
    const after = await own.attach(next, { session_id: 'taken', agent_id: 'deaf' });
    expect(await after.final('m1')).toMatchObject({ outcome: { status: 'aborted' } });
    expect(await after.final('m2')).toMatchObject({ outcome: { status: 'ok' } });
    const began = () => next.logs.filter(({ msg }) => msg === 'deaf agent began');
    await eventually(() => began().length > 0); // the line in its log may come after its reply
    expect(began()).toHaveLength(1);
    await own.stop();
  });
});
