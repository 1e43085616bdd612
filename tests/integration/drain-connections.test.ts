import { request } from 'node:http';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  eventually,
  FrameClient,
  type GatewayProcess,
  gaps,
  httpBehaviours,
  startRedis,
  startTcpProxy,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster, readSession } from '../support/cluster/cluster.js';

type Answer = { readonly status: number; readonly complete: boolean; readonly text: string };

/** One HTTP exchange; `complete`: the answer ended as an answer ends, not by a broken connection. */
function exchange(url: string, body?: unknown, onText?: () => void): Promise<Answer> {
  return new Promise((resolve) => {
    const method = body === undefined ? 'GET' : 'POST';
    const sent = request(url, { method, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        onText?.();
      });
      response.on('error', () => undefined);
      response.on('close', () =>
        resolve({ status: response.statusCode ?? 0, complete: response.complete, text }),
      );
    });
    sent.on('error', () => resolve({ status: 0, complete: false, text: '' }));
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

const post = (node: GatewayProcess, session: string, messageId: string) =>
  exchange(`${node.url}/v1/sessions/${session}/messages?wait=30`, {
    agent_id: 'slow',
    content: messageId,
    message_id: messageId,
  });

describe('connections while a node drains', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  beforeAll(async () => {
    redis = await startRedis();
  });
  beforeEach(async () => {
    cluster = await Cluster.open(redis, { gateway: { drain_timeout: '3s', close_spread: '1s' } });
  });
  afterEach(() => cluster.stop());

  it('D6 get going_away, are closed one after the other, and may send until then', async () => {
    const node = await cluster.start();
    const clients = await Promise.all(
      Array.from({ length: 10 }, (_, i) => cluster.attach(node, { session_id: `s${i}` })),
    );
    const signalledAt = performance.now();
    node.signal('SIGTERM');
    const sent = await Promise.all(
      clients.map(async (client, i) => {
        const told = await client.waitFor({ type: 'going_away' });
        expect(told).toMatchObject({
          reason: 'draining',
          session_id: `s${i}`,
          reconnect_after_ms: expect.any(Number),
        });
        const id = client.message(`from ${i}`, { message_id: `m${i}` });
        return client.waitFor({ status: 'accepted', message_id: id }).then(
          () => id,
          () => undefined,
        );
      }),
    );
    const closes = await Promise.all(
      clients.map(async (client) => ({
        ...(await client.closed),
        atMs: performance.now() - signalledAt,
      })),
    );
    expect(closes.every(({ code, reason }) => code === 1012 && reason === 'service_restart')).toBe(
      true,
    );
    const times = closes.map(({ atMs }) => atMs).sort((a, b) => a - b);
    expect(Number(times.at(-1)) - Number(times[0])).toBeGreaterThan(700);
    expect(times.at(-1)).toBeLessThan(1_600);
    const steps = times.slice(1).map((time, i) => time - Number(times[i]));
    expect(Math.max(...steps)).toBeLessThan(500);
    const delays = clients.map(
      (client) => client.frames.find(({ type }) => type === 'going_away')?.reconnect_after_ms,
    );
    expect(new Set(delays).size).toBeGreaterThan(5);

    // All were accepted, but perhaps those of the connection that was closed first. The accepted ones are executed.
    const accepted = sent.filter((id) => id !== undefined);
    expect(accepted.length).toBeGreaterThanOrEqual(9);
    await node.exited;
    await cluster.start();
    await eventually(() => cluster.agent.turns.length >= accepted.length);
    const executed = cluster.agent.turns.map(({ turn }) => turn.message_id);
    expect(executed).toEqual(expect.arrayContaining(accepted));
    expect(new Set(executed).size).toBe(executed.length);
  });

  it('D6 see no gap across the move', async () => {
    const node = await cluster.start();
    cluster.agent.behave(
      httpBehaviours.stream({
        format: 'ndjson',
        deltas: Array.from({ length: 30 }, (_, i) => `${i} `),
        everyMs: 50,
      }),
    );
    const client = await cluster.attach(node, { session_id: 's' });
    client.message('one', { message_id: 'm1' });
    client.message('two', { message_id: 'm2' });
    await client.waitFor({ type: 'token_stream' });
    const other = await cluster.start();
    node.signal('SIGTERM');
    await client.closed;
    const seen = client.logged();
    const since = seen.at(-1)?.cursor ?? 0;
    const again = await FrameClient.connect(other.wsUrl);
    await again.hello({ agent_id: 'slow', session_id: 's', since });
    const all = () => [...seen, ...again.logged()];
    await eventually(() => all().some((f) => f.status === 'final' && f.message_id === 'm2'));
    expect(gaps(all())).toEqual([]);
    expect((await node.exited).code).toBe(0);
  });

  it('D6 a stream of events ends within close_spread', async () => {
    const node = await cluster.start();
    const client = await cluster.attach(node, { session_id: 's' });
    await client.final(client.message('hello'));
    cluster.agent.behave(httpBehaviours.delayMs(2_400));
    client.message('long');
    await eventually(() => cluster.agent.turns.length === 2);
    let opened = false;
    const stream = exchange(`${node.url}/v1/sessions/s/events`, undefined, () => {
      opened = true;
    });
    await eventually(() => opened);
    const signalledAt = performance.now();
    node.signal('SIGTERM');
    const { status, complete, text } = await stream;
    expect(performance.now() - signalledAt).toBeLessThan(1_600);
    expect({ status, complete }).toEqual({ status: 200, complete: true });
    expect(text).toMatch(/^id: \d+:1$/m);
    expect(text.match(/^retry: \d+$/gm)?.length).toBe(2);
    expect((await node.exited).code).toBe(0);
  });

  it('D6 a stream that was being opened is refused, not forgotten', async () => {
    const proxy = await startTcpProxy(redis.port);
    const node = await cluster.start({ redis: { url: proxy.url } });
    const client = await cluster.attach(node, { session_id: 's' });
    cluster.agent.behave(httpBehaviours.delayMs(1_700));
    client.message('long');
    await eventually(() => cluster.agent.turns.length === 1);
    proxy.latency(150);
    const stream = exchange(`${node.url}/v1/sessions/s/events`);
    await eventually(async () => (await fetch(`${node.url}/live`)).ok);
    node.signal('SIGTERM');
    const { status, text } = await stream;
    expect({ status, body: JSON.parse(text) }).toMatchObject({
      status: 503,
      body: { error: { code: 'draining' } },
    });
    expect((await node.exited).code).toBe(0);
  });

  it('D6 a request that waits for its turn is kept to the end of the turn', async () => {
    const node = await cluster.start();
    cluster.agent.behave(httpBehaviours.delayMs(1_700));
    const waiting = post(node, 's', 'm1');
    await eventually(() => cluster.agent.turns.length === 1);
    node.signal('SIGTERM');
    const answer = await waiting;
    expect(answer).toMatchObject({ status: 200, complete: true });
    expect(JSON.parse(answer.text)).toMatchObject({ message_id: 'm1', content: 'echo: m1' });
    expect((await node.exited).code).toBe(0);
  });

  it('D6 a request is kept also when its turn runs on another node', async () => {
    const nodes = [await cluster.start(), await cluster.start()] as const;
    cluster.agent.behave(httpBehaviours.delayMs(1_000));
    const first = post(nodes[0], 's', 'm1');
    await eventually(() => cluster.agent.turns.length === 1);
    const { holder } = await readSession(nodes[0], 's');
    const holding = nodes[0].nodeId === holder ? nodes[0] : nodes[1];
    // Waits on the node that drains, for a turn that is handed to the other one.
    const second = post(holding, 's', 'm2');
    await eventually(async () => (await cluster.inbox('s')).length === 2);
    holding.signal('SIGTERM');
    expect((await first).status).toBe(200);
    expect(await second).toMatchObject({ status: 200, complete: true });
    const exit = await holding.exited;
    expect(exit).toMatchObject({ code: 0 });
    expect(exit.ms).toBeLessThan(3_000);
  });

  it('D6 a request whose turn is cut at the deadline is broken off', async () => {
    const node = await cluster.start({ gateway: { drain_timeout: '1s', close_spread: '500ms' } });
    cluster.agent.behave(httpBehaviours.delayMs(20_000));
    const waiting = post(node, 's', 'm1');
    await eventually(() => cluster.agent.turns.length === 1);
    node.signal('SIGTERM');
    expect(await waiting).toMatchObject({ status: 0, complete: false });
    expect((await node.exited).code).toBe(0);
    expect(await cluster.inbox('s')).toEqual(['m1']);
  });
});
