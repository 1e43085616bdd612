import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type Agent, agentSchema, makeAgent } from '@sluice/agents';
import { type OpenAiServer, startOpenAiServer } from '@sluice/testkit';
import {
  type Failure,
  failureOf,
  retryable,
  run,
  terminal,
  textOf,
} from '../support/agents/agents-turn.js';

let server: OpenAiServer;

function connect(maxReplyBytes = 2 ** 20): Promise<Agent> {
  const config = agentSchema.parse({ model: 'm', base_url: server.baseUrl, api_key: 'test-key' });
  return makeAgent('assistant', config, { baseDir: '.', maxReplyBytes });
}
beforeEach(async () => {
  server = await startOpenAiServer();
});
afterEach(() => server.close());

const DONE = 'data: [DONE]\n\n';
const line = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`;
const chunk = (delta: unknown, finish_reason: string | null = null) =>
  line({ choices: [{ index: 0, delta, finish_reason }] });
const hi = chunk({ content: 'hi' });
const stop = chunk({}, 'stop');

describe('an endpoint that is nearly that of OpenAI', () => {
  it.each<[string, string, string]>([
    ['[DONE] without finish_reason', hi + DONE, 'hi'],
    ['finish_reason without [DONE]', hi + stop, 'hi'],
    ['finish_reason with the last content', chunk({ content: 'hi' }, 'length') + DONE, 'hi'],
    ['lines that end with CRLF', (hi + DONE).replaceAll('\n', '\r\n'), 'hi'],
    ['a comment in between', `: keep-alive\n\n${hi}: keep-alive\n\n${DONE}`, 'hi'],
    ['content null', chunk({ role: 'assistant', content: null }) + hi + stop, 'hi'],
    ['no delta', line({ choices: [{ index: 0, finish_reason: null }] }) + hi + DONE, 'hi'],
    ['delta null', line({ choices: [{ index: 0, delta: null }] }) + hi + DONE, 'hi'],
    ['no choices', line({ id: 'x' }) + hi + DONE, 'hi'],
    ['choices null', line({ choices: null }) + hi + DONE, 'hi'],
    ['choices empty', line({ choices: [], prompt_filter_results: [] }) + hi + DONE, 'hi'],
    [
      'another choice',
      line({ choices: [{ index: 1, delta: { content: 'no' } }] }) + hi + DONE,
      'hi',
    ],
    ['a chunk that is no object', `data: null\n\n${hi}${DONE}`, 'hi'],
    ['a list of parts', chunk({ content: [{ type: 'text', text: 'h' }, 'i'] }) + DONE, 'hi'],
    [
      'parts that are no text',
      chunk({ content: [{ type: 'image_url' }, null, 7] }) + hi + stop,
      'hi',
    ],
    [
      'tool deltas',
      chunk({ tool_calls: [{ index: 0, function: { arguments: '{' } }] }) + hi + DONE,
      'hi',
    ],
    ['nothing at all but the end', DONE, ''],
    ['a refusal', chunk({ refusal: 'no' }) + stop, 'no'],
    [
      'error null beside content',
      line({ error: null, choices: [{ delta: { content: 'hi' } }] }) + DONE,
      'hi',
    ],
  ])('T5 is understood: %s', async (_what, body, content) => {
    server.fault({ kind: 'answer', body });
    const { events, reply } = await run(await connect());
    expect(reply).toEqual({ content });
    expect(textOf(events)).toBe(content);
  });

  it.each([
    ['reasoning_content', { reasoning_content: 'hm' }],
    ['reasoning', { reasoning: 'hm' }],
    [
      'parts of thinking',
      { content: [{ type: 'thinking', thinking: [{ type: 'text', text: 'hm' }] }] },
    ],
  ])('T5 thinks aloud in %s', async (_what, delta) => {
    server.fault({ kind: 'answer', body: chunk(delta) + hi + DONE });
    const { events, reply } = await run(await connect());
    expect(reply.content).toBe('hi');
    expect(events[0]).toEqual({ type: 'reasoning', content: 'hm' });
  });

  it('T5 counts usage alone, or in the last chunk', async () => {
    const usage = { total_tokens: 3 };
    const alone = hi + stop + line({ choices: [], usage }) + DONE;
    const last = hi + line({ choices: [{ delta: {}, finish_reason: 'stop' }], usage }) + DONE;
    const only = hi + line({ usage }) + DONE;
    for (const body of [alone, last, only]) {
      server.fault({ kind: 'answer', body });
      expect((await run(await connect())).reply).toEqual({ content: 'hi', usage });
    }
  });

  it('T5 answers whole, as JSON, though it was asked to stream', async () => {
    const body = JSON.stringify({ choices: [{ message: { content: 'hi' } }], usage: { n: 1 } });
    server.fault({ kind: 'answer', body, contentType: 'application/json; charset=utf-8' });
    expect((await run(await connect())).reply).toEqual({ content: 'hi', usage: { n: 1 } });
  });

  it('T5 is asked again without stream_options when it refuses them, and never again with', async () => {
    await server.close();
    server = await startOpenAiServer({ refuses: 'stream_options' });
    const agent = await connect();
    expect((await run(agent)).reply).toEqual({ content: 'You said: hello there' });
    await run(agent);
    const asked = server.requests.map(({ request }) => 'stream_options' in request);
    expect(asked).toEqual([true, false, false]);
  });

  it.each<[string, string, Failure]>([
    ['a code', line({ error: { code: 'overloaded' } }), retryable('the model failed: overloaded')],
    ['a text', line({ error: 'out of memory' }), retryable('the model failed')],
    ['a passing status', line({ error: { code: 503 } }), retryable('the model failed: status 503')],
    ['a status', line({ error: { code: 403 } }), terminal('the model failed: status 403')],
    ['its own event', `event: error\n${line({ message: 'x' })}`, retryable('the model failed')],
    ['finish_reason', chunk({}, 'error') + DONE, retryable('the model failed')],
    ['a broken chunk', 'data: {"choi\n\n', retryable('the model streamed invalid JSON')],
    ['an end within', hi, retryable('the stream ended before the reply did')],
  ])('T5 fails in mid-stream: %s', async (_what, body, failure) => {
    server.fault({ kind: 'answer', body: chunk({ role: 'assistant' }) + body });
    expect(await failureOf(await connect())).toEqual(failure);
    expect(server.requests).toHaveLength(1);
  });

  it('B1 sends a chunk without end', async () => {
    server.fault({ kind: 'answer', body: `data: ${'x'.repeat(200_000)}` });
    expect(await failureOf(await connect(1_000))).toEqual(terminal('reply_too_large'));
  });

  it('X6 a code that looks like text is not repeated', async () => {
    const body = JSON.stringify({ error: { code: 'you said: my secret', type: 'bad' } });
    server.fault({ kind: 'answer', status: 400, body, contentType: 'application/json' });
    const failure = await failureOf(await connect());
    expect(failure).toEqual(terminal('the model answered with status 400 (bad)'));
  });
});
