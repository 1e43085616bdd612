import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type GatewayProcess,
  gaps,
  type OpenAiServer,
  startOpenAiServer,
  startRedis,
} from '@sluice/testkit';
import { Cluster, readSession } from '../support/cluster/cluster.js';

describe('an agent of kind openai behind the gateway', () => {
  let cluster: Cluster;
  let server: OpenAiServer;
  let node: GatewayProcess;
  beforeAll(async () => {
    server = await startOpenAiServer({ everyMs: 100, alternating: true, window: 20_000 });
    cluster = await Cluster.open(await startRedis());
    node = await cluster.start({
      agents: {
        assistant: {
          model: 'test-model',
          instructions: 'Answer in order.',
          base_url: server.baseUrl,
          api_key: 'test-key',
          retry: { initial: '50ms', factor: 1, max: '1s' },
        },
      },
    });
  });
  afterAll(async () => {
    await cluster.stop();
    await server.close();
  });

  const attach = (session_id: string) =>
    cluster.attach(node, { session_id, agent_id: 'assistant' });

  it('E1 S2 streams, answers with usage, and is handed the history as messages', async () => {
    const client = await attach('talk');
    const first = await client.final(client.message('good morning'));
    expect(first).toMatchObject({
      content: 'You said: good morning',
      outcome: { status: 'ok' },
      usage: { prompt_tokens: 5, completion_tokens: 4, total_tokens: 9 },
    });
    const tokens = client.logged().filter(({ type }) => type === 'token_stream');
    expect(tokens.length).toBeGreaterThan(1);
    expect(tokens.map(({ data }) => Object(data).content).join('')).toBe(first.content);
    const second = client.message({ question: 'and you?' });
    await client.final(second);
    expect(server.requests.map(({ request }) => [request.model, request.messages])).toEqual([
      [
        'test-model',
        [
          { role: 'system', content: 'Answer in order.' },
          { role: 'user', content: 'good morning' },
        ],
      ],
      [
        'test-model',
        [
          { role: 'system', content: 'Answer in order.' },
          { role: 'user', content: 'good morning' },
          { role: 'assistant', content: 'You said: good morning' },
          { role: 'user', content: '{"question":"and you?"}' },
        ],
      ],
    ]);
    expect(server.requests[1]?.headers['idempotency-key']).toMatch(`.talk:${second}`);
    expect((await readSession(node, 'talk')).messages).toHaveLength(4);
    expect(gaps(client.logged())).toEqual([]);
  });

  it('T5 is asked again when it breaks, and not when it refuses', async () => {
    const client = await attach('fails');
    server.fault({ kind: 'status', status: 500 }, { kind: 'break', afterChunks: 2 });
    const broken = client.message('one two three four');
    expect(await client.final(broken)).toMatchObject({
      outcome: { status: 'ok' },
      content: 'You said: one two three four',
      attempt: 3,
    });
    server.fault({ kind: 'status', status: 400 });
    expect(await client.final(client.message('wrong'))).toMatchObject({
      outcome: { status: 'error', reason: expect.stringContaining('400') },
      attempt: 1,
    });
    expect(gaps(client.logged())).toEqual([]);
  });

  it('T5 B1 a turn that failed, or a message too long for the model, spoils no later turn', async () => {
    const client = await attach('spoiled');
    const outcomeOf = async (content: string) => {
      const { outcome } = await client.final(client.message(content));
      return Object(outcome);
    };
    server.fault({ kind: 'status', status: 403 });
    expect(await outcomeOf('refused')).toMatchObject({ status: 'error' });
    expect(await outcomeOf('hi')).toEqual({ status: 'ok' });
    expect(await outcomeOf('x'.repeat(20_001))).toEqual({
      status: 'error',
      reason: "the message is longer than the model's context (context_length_exceeded)",
    });
    expect(await outcomeOf('hi again')).toEqual({ status: 'ok' });
    // The conversation grows past the window: question and reply are 12,000 characters each time.
    for (const letter of 'abcd') {
      expect(await outcomeOf(letter.repeat(6_000))).toEqual({ status: 'ok' });
    }
    expect(await outcomeOf('and hi')).toEqual({ status: 'ok' });
  });

  it('T6 its request is closed by an abort', async () => {
    const client = await attach('stopped');
    const text = Array.from({ length: 300 }, (_, i) => `word${i}`).join(' ');
    const id = client.message(text);
    await client.collect(4, { type: 'token_stream' });
    client.send({ type: 'abort' });
    const final = await client.final(id);
    expect(final).toMatchObject({ outcome: { status: 'aborted' } });
    expect(String(final.content)).toMatch(/^You said:/);
    expect(String(final.content).length).toBeLessThan(text.length);
    expect(server.requests.at(-1)).toMatchObject({ closedByPeer: true });
  });
});
