import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type Agent, agentSchema, makeAgent } from '@sluice/agents';
import { exitStatus, StartError, sleep } from '@sluice/runtime';
import { type OpenAiFault, type OpenAiServer, startOpenAiServer } from '@sluice/testkit';
import {
  abortWhen,
  failureOf,
  makeTurn,
  retryable,
  run,
  said,
  terminal,
  textOf,
  until,
} from '../support/agents/agents-turn.js';

let server: OpenAiServer;

function connect(given: Record<string, unknown> = {}, env = {}, baseDir = '.'): Promise<Agent> {
  const config = agentSchema.parse({
    model: 'gpt-4o-mini',
    base_url: server.baseUrl,
    api_key: 'test-key',
    ...given,
  });
  return makeAgent('assistant', config, { baseDir, env });
}

beforeEach(async () => {
  server = await startOpenAiServer();
});
afterEach(() => server.close());

describe('openai agent', () => {
  it('streams the reply and tells the usage', async () => {
    const { events, reply } = await run(await connect(), makeTurn({ content: 'what is up?' }));
    expect(events).toHaveLength(5);
    expect(textOf(events)).toBe('You said: what is up?');
    expect(reply).toEqual({
      content: 'You said: what is up?',
      usage: { prompt_tokens: 3, completion_tokens: 5, total_tokens: 8 },
    });
  });

  it('sends instructions, history and content as messages', async () => {
    const history = [
      said('user', 'first'),
      said('assistant', 'reply'),
      said('user', 'failed'),
      said('assistant', ''),
    ];
    const agent = await connect({ instructions: 'Be brief.' });
    await run(agent, makeTurn({ history, content: { a: 1 } }));
    expect(server.requests[0]?.request).toEqual({
      model: 'gpt-4o-mini',
      stream: true,
      stream_options: { include_usage: true },
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'first' },
        { role: 'assistant', content: 'reply' },
        { role: 'user', content: '{"a":1}' },
      ],
    });
  });

  it('B1: cuts the history to the newest pairs that fit', async () => {
    const pair = (n: number) => [said('user', `question ${n}`), said('assistant', `answer ${n}`)];
    const history = [pair(1), pair(2), pair(3)].flat();
    const sent = pair(3).map(({ role, content }) => ({ role, content }));
    const fits = Buffer.byteLength(JSON.stringify(sent)) + 3;
    await run(await connect({ history: fits }), makeTurn({ history }));
    const messages = server.requests[0]?.request.messages.map(({ content }) => content);
    expect(messages).toEqual(['question 3', 'answer 3', 'hello there']);
  });

  it('takes the key from the environment or from a file that may rotate', async () => {
    const none = { api_key: undefined };
    await run(await connect(none, { OPENAI_API_KEY: 'test-key' }));
    const dir = await mkdtemp(join(tmpdir(), 'sluice-key-'));
    try {
      await writeFile(join(dir, 'key'), 'old-key');
      const agent = await connect({ ...none, api_key_file: 'key' }, {}, dir);
      expect((await failureOf(agent)).kind).toBe('terminal');
      await writeFile(join(dir, 'key'), 'test-key\n');
      await run(agent);
    } finally {
      await rm(dir, { recursive: true });
    }
    expect(server.requests).toHaveLength(2);
  });

  it.each([undefined, ''])('refuses to start without a key (%j), naming it', async (api_key) => {
    const failure = await connect({ api_key }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StartError);
    expect(failure).toMatchObject({ status: exitStatus.config });
    expect(String(failure)).toContain('agents.assistant.api_key');
    expect(String(failure)).toContain('OPENAI_API_KEY');
  });

  it.each([408, 409, 425, 429, 500, 503])('T5: status %i is retryable', async (status) => {
    server.fault({ kind: 'status', status, retryAfter: '3' });
    expect(await failureOf(await connect())).toEqual(
      retryable(`the model answered with status ${status} (test_fault)`, 3_000),
    );
    // One request: the client's own retries are off.
    expect(server.requests).toHaveLength(1);
  });

  it.each([400, 403, 404, 422])('T5: status %i is terminal', async (status) => {
    server.fault({ kind: 'status', status });
    expect(await failureOf(await connect())).toEqual(
      terminal(`the model answered with status ${status} (test_fault)`),
    );
  });

  it('T5: a wrong key is terminal, and the failure does not repeat it', async () => {
    const failure = await failureOf(await connect({ api_key: 'sk-wrong' }));
    expect(failure).toEqual(terminal('the model answered with status 401 (invalid_api_key)'));
  });

  it('T5: Retry-After is honoured up to 5 min', async () => {
    server.fault({ kind: 'status', status: 429, retryAfter: '1200' });
    expect(await failureOf(await connect())).toMatchObject({ retryAfterMs: 300_000 });
  });

  it.each<[OpenAiFault, string]>([
    [{ kind: 'break', afterChunks: 2 }, 'connection to the model failed'],
    [{ kind: 'end', afterChunks: 2 }, 'the stream ended before the reply did'],
    [{ kind: 'stream_error', afterChunks: 2 }, 'the model failed: server_error'],
  ])('T5: a stream with the fault %j is retryable', async (fault, message) => {
    server.fault(fault);
    expect(await failureOf(await connect())).toEqual(retryable(message));
    expect((await run(await connect())).reply.content).toBe('You said: hello there');
  });

  it('T5: an endpoint that is not there is retryable', async () => {
    const agent = await connect();
    await server.close();
    expect(await failureOf(agent)).toEqual(retryable('connection to the model failed'));
  });

  it('T5: no reply within the timeout is retryable', async () => {
    server.fault({ kind: 'hang' });
    expect(await failureOf(await connect({ timeout: '80ms' }))).toEqual(
      retryable('no reply within 80 ms'),
    );
  });

  it('T6: abort ends the wait for the model at once and closes the connection', async () => {
    server.fault({ kind: 'hang' });
    const { error, reason, ms } = await abortWhen(
      await connect(),
      () => server.requests.length === 1,
    );
    expect(error).toBe(reason);
    expect(ms).toBeLessThan(1_000);
    await until(() => server.requests[0]?.closedByPeer === true);
  });

  it('T6: abort ends a stream at once and closes the connection', async () => {
    const slow = await startOpenAiServer({ everyMs: 200 });
    try {
      const agent = await connect({ base_url: slow.baseUrl });
      const { error, reason, ms } = await abortWhen(agent, async () => {
        await sleep(300);
        return slow.requests.length === 1;
      });
      expect(error).toBe(reason);
      expect(ms).toBeLessThan(150);
      await until(() => slow.requests[0]?.closedByPeer === true);
    } finally {
      await slow.close();
    }
  });
});
