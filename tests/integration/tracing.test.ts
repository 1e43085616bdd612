import { execFileSync } from 'node:child_process';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  eventually,
  type GatewayProcess,
  httpBehaviours,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';
import { attributesOf, type Span, startOtlpReceiver } from '../support/cluster/otlp-receiver.js';

const traceId = 'abcdef0123456789abcdef0123456789';
const parentOf = (n: number) => `00000000000000${n.toString(16).padStart(2, '0')}`;
const traceparent = (n: number) => `00-${traceId}-${parentOf(n)}-01`;
const producer = 4;
const consumer = 5;

describe('tracing', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  let receiver: Awaited<ReturnType<typeof startOtlpReceiver>>;
  beforeAll(async () => {
    redis = await startRedis({ args: ['--appendfsync', 'no'] });
  });
  beforeEach(async () => {
    receiver = await startOtlpReceiver();
    cluster = await Cluster.open(redis, {
      gateway: { drain_timeout: '1s', close_spread: '50ms' },
      telemetry: { otlp_endpoint: receiver.url },
      lease: { ttl: '10s' },
    });
  });
  afterEach(() => cluster.stop());

  const spansOf = (operation: string) =>
    receiver.spans.filter((span) => attributesOf(span)['messaging.operation.name'] === operation);
  const found = async (operation: string, count: number): Promise<Span[]> => {
    await eventually(() => spansOf(operation).length >= count, 10_000);
    return spansOf(operation);
  };
  const post = (node: GatewayProcess, body: object, headers = {}) =>
    fetch(`${node.url}/v1/sessions/s/messages`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ agent_id: 'slow', content: 'a secret', ...body }),
    });

  it('X6 T3 D3 the turn links to the acceptance, in both nodes of a hand-over', async () => {
    const node = await cluster.start();
    cluster.agent.behave(httpBehaviours.hang());
    const answer = await post(node, { message_id: 'm1' }, { traceparent: traceparent(1) });
    expect(answer.status).toBe(202);
    await eventually(() => cluster.agent.turns.length === 1);
    const [accepted] = await found('send', 1);
    expect(accepted).toMatchObject({
      ...{ name: 'send slow', kind: producer, traceId, parentSpanId: parentOf(1) },
    });

    const other = await cluster.start();
    cluster.agent.behave(httpBehaviours.delayMs(0));
    expect((await node.stop()).code).toBe(0);
    const tries = await found('process', 2);
    const link = { traceId, spanId: accepted?.spanId };
    for (const turn of tries) {
      expect(turn).toMatchObject({ name: 'process slow', kind: consumer, links: [link] });
      expect(turn.traceId).not.toBe(traceId);
      expect(attributesOf(turn)).toMatchObject({
        'messaging.message.id': 'm1',
        'messaging.message.conversation_id': 's',
        'messaging.destination.name': 'slow',
      });
    }
    const outcomes = tries.map((turn) => attributesOf(turn)['sluice.outcome']);
    expect(outcomes.sort()).toEqual(['left', 'ok']);
    // The agent gets the span of its turn as parent.
    const headers = cluster.agent.turns.map((turn) => turn.headers.traceparent);
    expect(headers.sort()).toEqual(
      tries.map((turn) => `00-${turn.traceId}-${turn.spanId}-01`).sort(),
    );
    expect(receiver.bodies.join('\n')).toContain(other.nodeId);
    expect(receiver.bodies.join('\n')).not.toContain('a secret');
  });

  it('E8 over a socket: the frame brings its context, else the upgrade; a batch has all links', async () => {
    const node = await cluster.start();
    cluster.agent.behave(httpBehaviours.hang());
    const options = { headers: { traceparent: traceparent(1) } };
    const talk = await cluster.attach(node, { session_id: 's' }, options);
    talk.message('x', { message_id: 'm1' });
    await eventually(() => cluster.agent.turns.length === 1);
    for (const n of [2, 3]) {
      const fields = { message_id: `m${n}`, mode: 'collect', traceparent: traceparent(n) };
      talk.message('x', fields);
    }
    talk.message('x', { message_id: 'm4', traceparent: 'nonsense' });
    const sent = await found('send', 4);
    const byId = new Map(sent.map((span) => [attributesOf(span)['messaging.message.id'], span]));
    const parents = ['m1', 'm2', 'm3', 'm4'].map((id) => byId.get(id)?.parentSpanId || 'none');
    expect(parents).toEqual([parentOf(1), parentOf(2), parentOf(3), 'none']);
    cluster.agent.behave(httpBehaviours.fail({ status: 400, times: 1 }));
    talk.send({ type: 'abort' });
    await talk.final('m4', 10_000);
    const turns = await found('process', 3);
    const of = (id: string) =>
      turns.find((turn) => attributesOf(turn)['messaging.message.id'] === id);
    expect(of('m3')?.links?.map(({ spanId }) => spanId)).toEqual(
      ['m2', 'm3'].map((id) => byId.get(id)?.spanId),
    );
    expect(of('m3')?.status?.code).toBe(2);
    expect(of('m1')?.status?.code ?? 0).toBe(0);
    expect(of('m4')?.links).toHaveLength(1);
  });

  it('C3 a collector that is away costs nobody a turn', async () => {
    const node = await cluster.start({ telemetry: { otlp_endpoint: 'http://127.0.0.1:9' } });
    const talk = await cluster.attach(node, { session_id: 's' });
    await talk.final(talk.message('x'));
    expect((await node.stop()).code).toBe(0);
  });

  it.each([
    ['', 0],
    ['http://127.0.0.1:9', 1],
  ])('loads OpenTelemetry only where it is asked for: endpoint "%s"', (endpoint, atLeast) => {
    // Modules of CommonJS that a process has loaded are in this cache, and OpenTelemetry's are of that kind.
    const source = `
      const { createRequire } = await import('node:module');
      await import('./apps/gateway/dist/main.js');
      const { openTracing } = await import('./apps/gateway/dist/tracing/open-tracing.js');
      const otlpEndpoint = process.argv[1] || null;
      await openTracing({ otlpEndpoint }, { nodeId: 'n', log: {} });
      const loaded = Object.keys(createRequire(import.meta.url).cache);
      console.log(loaded.filter((path) => /@opentelemetry.(sdk|exporter|resources)/.test(path)).length);
      process.exit(0);
    `;
    const args = ['--input-type=module', '--eval', source, endpoint];
    const loaded = Number(execFileSync(process.execPath, args, { encoding: 'utf8' }));
    if (atLeast === 0) expect(loaded).toBe(0);
    else expect(loaded).toBeGreaterThan(10);
  });
});
