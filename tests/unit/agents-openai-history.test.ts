import { afterEach, describe, expect, it } from '@jest/globals';
import { type Agent, agentSchema, makeAgent } from '@sluice/agents';
import type { HistoryMessage } from '@sluice/protocol';
import { type OpenAiServer, type OpenAiServerOptions, startOpenAiServer } from '@sluice/testkit';
import { failureOf, makeTurn, run, said, terminal } from '../support/agents/agents-turn.js';

let server: OpenAiServer;

async function connect(options: OpenAiServerOptions = {}): Promise<Agent> {
  server = await startOpenAiServer({ alternating: true, ...options });
  const config = agentSchema.parse({ model: 'm', base_url: server.baseUrl, api_key: 'test-key' });
  return makeAgent('assistant', config, { baseDir: '.' });
}
afterEach(() => server.close());

const sent = () => server.requests.at(-1)?.request.messages.map(({ content }) => content) ?? [];
const pairs = (count: number, length: number): HistoryMessage[] =>
  Array.from({ length: count }, (_, n) => [
    said('user', `q${n} `.padEnd(length, '.')),
    said('assistant', `a${n} `.padEnd(length, '.')),
  ]).flat();

describe('the history that a model gets', () => {
  it.each<[string, HistoryMessage[], string[]]>([
    ['a failed turn', [said('user', 'bad'), said('assistant', '')], []],
    ['blanks alone', [said('user', 'bad'), said('assistant', ' \n')], []],
    ['a partial reply', [said('user', 'q'), said('assistant', 'so f')], ['q', 'so f']],
    [
      'a batch of messages',
      [said('user', 'one'), said('user', 'two'), said('assistant', 'both')],
      ['one\n\ntwo', 'both'],
    ],
    [
      'a reply whose question was trimmed',
      [said('assistant', 'a'), ...pairs(1, 2)],
      ['q0 ', 'a0 '],
    ],
    [
      'several failures in a row',
      [said('user', 'x'), said('assistant', ''), said('user', 'y'), said('assistant', '')],
      [],
    ],
  ])('T5 is whole pairs in turn: %s', async (_what, history, expected) => {
    const { reply } = await run(await connect(), makeTurn({ history }));
    expect(reply.content).toBe('You said: hello there');
    expect(sent()).toEqual([...expected, 'hello there']);
  });

  it('B1 is less after a refusal, the oldest pairs first, and no more than that from then on', async () => {
    const agent = await connect({ window: 4_000 });
    const history = pairs(100, 200); // ten times the window
    const { reply } = await run(agent, makeTurn({ history }));
    expect(reply.content).toBe('You said: hello there');
    const tries = server.requests.length;
    expect(tries).toBeGreaterThan(2);
    expect(tries).toBeLessThanOrEqual(6);
    expect(sent().length).toBeGreaterThan(6); // a good part of the window is used
    expect(sent().slice(0, -1)).toEqual(
      history.slice(1 - sent().length).map(({ content }) => content),
    );
    await run(agent, makeTurn({ history }));
    expect(server.requests).toHaveLength(tries + 1);
    // The learned limit grows a little with each turn: the endpoint may accept more one day.
    for (let turn = 0; turn < 30; turn++) await run(agent, makeTurn({ history }));
    expect(server.requests.length).toBeLessThan(tries + 1 + 30 + 10);
  });

  it('B1 a message that is too long by itself fails alone, and teaches nothing', async () => {
    const agent = await connect({ window: 4_000 });
    const content = 'x'.repeat(4_001);
    const history = pairs(9, 200);
    const failure = await failureOf(agent, makeTurn({ content, history }));
    expect(failure).toEqual(
      terminal("the message is longer than the model's context (context_length_exceeded)"),
    );
    expect(server.requests.length).toBeLessThanOrEqual(6);
    const asked = server.requests.length;
    await run(
      agent,
      makeTurn({ history: [...history, said('user', content), said('assistant', '')] }),
    );
    expect(server.requests).toHaveLength(asked + 1);
    expect(sent()).toHaveLength(history.length + 1);
  });

  it.each([
    [400, { error: { message: "This model's maximum context length is 9 tokens", code: null } }],
    [400, { object: 'error', message: 'The prompt is too long: 9 tokens', code: 400 }],
    [400, { error: { message: 'x', type: 'exceed_context_size_error', n_ctx: 9, code: 400 } }],
    [400, { error: { message: 'The input token count (12) exceeds the maximum of 9', code: 400 } }],
    [400, { error: { message: 'Please reduce the length of the messages or completion.' } }],
    [400, { error: { message: 'x', type: 'request_too_large' } }],
    [413, { error: 'Payload Too Large' }],
    [
      422,
      { detail: [{ msg: '`inputs` tokens + `max_new_tokens` must be <= 9; too many tokens' }] },
    ],
    [429, { error: { message: 'Request too large for m on tokens per min (TPM): Limit 9' } }],
    [500, { error: 'the request exceeds the available context size. try increasing it' }],
    [200, undefined],
  ])('B1 is less after status %i and %j', async (status, body) => {
    const agent = await connect();
    const error = { code: 'context_length_exceeded', message: 'in the stream' };
    server.fault({
      kind: 'answer',
      status,
      ...(body === undefined
        ? { body: `data: ${JSON.stringify({ error })}\n\n` }
        : { body: JSON.stringify(body), contentType: 'application/json' }),
    });
    await run(agent, makeTurn({ history: pairs(4, 100) }));
    expect(server.requests).toHaveLength(2);
    expect(sent().length).toBeLessThan(9);
  });
});
