import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  eventually,
  FrameClient,
  type GatewayProcess,
  httpBehaviours,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster, readSession } from '../support/cluster/cluster.js';

describe('limits of a connection, a turn and a history', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  beforeAll(async () => {
    redis = await startRedis({ args: ['--appendfsync', 'no'] });
  });
  beforeEach(async () => {
    cluster = await Cluster.open(redis);
  });
  afterEach(() => cluster.stop());

  const openStream = async (node: GatewayProcess, sessionId: string) => {
    const stop = new AbortController();
    const url = `${node.url}/v1/sessions/${sessionId}/events`;
    const { status, headers } = await fetch(url, { signal: stop.signal });
    return { status, retryAfter: headers.get('retry-after'), close: () => stop.abort() };
  };

  it('B1 max_connections: one more gets hello_error and is closed with 4008, until there is room', async () => {
    const node = await cluster.start({ gateway: { max_connections: 2 } });
    const first = await cluster.attach(node, { session_id: 's' });
    const stream = await openStream(node, 's');
    expect(stream.status).toBe(200);
    const third = await FrameClient.connect(node.wsUrl);
    expect(await third.waitFor({ type: 'hello_error' })).toMatchObject({
      code: 'rate_limited',
      next_step: 'wait_then_retry',
      retry_after_seconds: expect.any(Number),
    });
    expect((await third.closed).code).toBe(4008);
    expect(await openStream(node, 's')).toMatchObject({ status: 429, retryAfter: '1' });
    // Open connections and other requests are not affected.
    await first.final(first.message('x'));
    expect((await fetch(`${node.url}/v1/sessions/s`)).status).toBe(200);

    stream.close();
    await eventually(async () => {
      const again = await FrameClient.connect(node.wsUrl);
      const frame = await again.hello({ agent_id: 'slow', session_id: 's' });
      return frame.type === 'hello_ok';
    });
  });

  it('B1 E9 max_queued_frames: a reader that stops reading is cut long before max_buffered_bytes', async () => {
    const node = await cluster.start({ gateway: { max_queued_frames: 5 } });
    const delta = 'x'.repeat(256 * 1_024);
    cluster.agent.behave(
      httpBehaviours.stream({ format: 'ndjson', deltas: Array(3).fill(delta), everyMs: 5 }),
    );
    const reader = await cluster.attach(node, { session_id: 's', capabilities: ['streaming'] });
    const writer = await cluster.attach(node, { session_id: 's', capabilities: [] });
    reader.pause();
    // The system itself buffers some MB; after that frames queue.
    const info = async () => (await (await fetch(`${node.url}/info`)).json()) as object;
    await eventually(async () => {
      await writer.final(writer.message('more'));
      expect(await info()).toMatchObject({ connections: 1 });
    }, 30_000);
    reader.resume();
    expect([1006, 1013]).toContain((await reader.closed).code);
  }, 40_000);

  it('B1 per_turn_timeout: a turn that takes too long has outcome timeout, and the next one runs', async () => {
    const node = await cluster.start({ gateway: { per_turn_timeout: '300ms' } });
    cluster.agent.behave((turn, context) =>
      (turn.message_id === 'm1' ? httpBehaviours.hang() : httpBehaviours.delayMs(0))(turn, context),
    );
    const client = await cluster.attach(node, { session_id: 's' });
    for (const message_id of ['m1', 'm2']) client.message('x', { message_id });
    const outcome = { status: 'timeout', reason: 'per_turn_timeout' };
    expect(await client.final('m1')).toMatchObject({ outcome, attempt: 1 });
    expect(await client.final('m2')).toMatchObject({ outcome: { status: 'ok' } });
  });

  it('B1 max_reply: a longer one is an error, streamed or whole, and is not kept', async () => {
    const node = await cluster.start({ gateway: { max_reply: 100 } });
    const deltas = Array(11).fill('0123456789');
    cluster.agent.behave((turn, context) => {
      if (turn.message_id === 'm1') return context.respond.json({ content: 'x'.repeat(101) });
      if (turn.message_id === 'm2') {
        return httpBehaviours.stream({ format: 'sse', deltas })(turn, context);
      }
      context.respond.json({ content: 'x'.repeat(100) });
    });
    const client = await cluster.attach(node, { session_id: 's' });
    for (const message_id of ['m1', 'm2']) {
      client.message('x', { message_id });
      expect(await client.final(message_id)).toMatchObject({
        content: '',
        outcome: { status: 'error', reason: 'reply_too_large' },
      });
    }
    client.message('x', { message_id: 'm3' });
    expect(await client.final('m3')).toMatchObject({ content: 'x'.repeat(100) });
  });

  it('B1 max_messages: the history keeps the newest, for the agent as for readers', async () => {
    const node = await cluster.start({ session: { max_messages: 3 } });
    const client = await cluster.attach(node, { session_id: 's' });
    for (let i = 1; i <= 5; i += 1) await client.final(client.message(`text ${i}`));
    const kept = ['echo: text 4', 'text 5', 'echo: text 5'];
    const { messages } = await readSession(node, 's');
    expect((messages as { content: unknown }[]).map(({ content }) => content)).toEqual(kept);
    await client.final(client.message('text 6'));
    const told = cluster.agent.turns.at(-1)?.turn.history.map(({ content }) => content);
    expect(told).toEqual(kept);
  });

  it('B1 every limit may be 1: a conversation goes on, and overflows are answered', async () => {
    const one = { max_connections: 1, max_queued_frames: 1 };
    const rate_limit = { upgrades_per_minute: 1, burst: 1, messages_per_second: 1_000 };
    const node = await cluster.start({
      gateway: { ...one, rate_limit: { ...rate_limit, sessions_per_minute: 1 } },
      lease: { max_lingering: 1 },
      worker: {
        ...{ concurrency: 1, max_attempts: 1, max_hand_overs: 1, max_turns_per_lease: 1 },
        max_turns_per_principal: 1,
      },
      session: {
        ...{ max_inbox: 1, max_messages: 1, max_events: 1, max_log_bytes: 1, max_seen: 1 },
        ...{ max_dead: 1, max_sessions_per_principal: 1 },
      },
      agents: { slow: { kind: 'http', url: cluster.agent.url, max_concurrent: 1 } },
    });
    const client = await cluster.attach(node, { session_id: 's' });
    for (let i = 1; i <= 5; i += 1) {
      const id = await eventually(async () => {
        const sent = client.message(`text ${i}`);
        const isAnswer = ({ message_id, status, type }: Record<string, unknown>) =>
          message_id === sent && (status === 'accepted' || type === 'error');
        return (await client.waitFor(isAnswer)).status === 'accepted' && sent;
      });
      expect(await client.final(String(id))).toMatchObject({ content: `echo: text ${i}` });
    }
    const refused = await FrameClient.connect(node.wsUrl);
    expect((await refused.closed).code).toBe(4008);
    client.send({ type: 'hello', agent_id: 'slow' });
    expect(await client.waitFor({ type: 'hello_error' })).toMatchObject({ code: 'rate_limited' });
  });

  it('B1 S4 a limit of one byte refuses everything, and stops nothing', async () => {
    const node = await cluster.start({
      gateway: { max_payload: 1, max_reply: 1, max_buffered_bytes: 2 },
      session: { max_inbox_bytes: 1 },
    });
    const client = await FrameClient.connect(node.wsUrl);
    client.sendRaw('{}');
    expect(await client.waitFor({ type: 'error' })).toMatchObject({ code: 'payload_too_large' });
    const posted = await fetch(`${node.url}/v1/sessions/s/messages`, {
      method: 'POST',
      body: JSON.stringify({ content: 'x', agent_id: 'slow' }),
    });
    expect(posted.status).toBe(413);
    expect((await fetch(`${node.url}/ready`)).status).toBe(200);
    const roomy = await cluster.start({ session: { max_inbox_bytes: 1 } });
    const other = await cluster.attach(roomy, { session_id: 's' });
    other.message('x');
    expect(await other.waitFor({ type: 'error' })).toMatchObject({ code: 'inbox_full' });
  });
});
