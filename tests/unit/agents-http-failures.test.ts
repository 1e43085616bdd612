import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type Agent, agentSchema, makeAgent } from '@sluice/agents';
import { sleep } from '@sluice/runtime';
import { type Behaviour, type HttpAgent, httpBehaviours, startHttpAgent } from '@sluice/testkit';
import { failureOf, retryable, run, terminal, until } from '../support/agents/agents-turn.js';

let server: HttpAgent;
const agents: Agent[] = [];

async function connect(given: Record<string, unknown> = {}, maxReplyBytes = 1_000) {
  const config = agentSchema.parse({ kind: 'http', url: server.url, ...given });
  const agent = await makeAgent('remote', config, { baseDir: '.', maxReplyBytes });
  agents.push(agent);
  return agent;
}

/** Writes `text` again and again until the gateway hangs up. */
function endless(contentType: string, text: string): Behaviour {
  return async (_turn, { signal, respond }) => {
    const writer = respond.stream('ndjson', contentType);
    while (!signal.aborted) {
      writer.raw(text.repeat(100));
      await sleep(1);
    }
  };
}

beforeEach(async () => {
  server = await startHttpAgent();
});
afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.close?.();
  await server.close();
});

describe('http agent: failures', () => {
  it.each([408, 425, 429, 500, 502, 503, 504])('T5: status %i is retryable', async (status) => {
    server.behave(httpBehaviours.fail({ status, times: 1 }));
    const agent = await connect();
    expect(await failureOf(agent)).toEqual(retryable(`the agent answered with status ${status}`));
    expect((await run(agent)).reply.content).toBe('echo: hello there');
  });

  it.each([301, 400, 401, 404, 409, 422])('T5: status %i is terminal', async (status) => {
    server.behave(httpBehaviours.fail({ status, times: 1 }));
    expect(await failureOf(await connect())).toEqual(
      terminal(`the agent answered with status ${status}`),
    );
  });

  it.each([
    ['7', 7_000, 7_000],
    ['0', 0, 0],
    ['3600', 300_000, 300_000],
    [new Date(Date.now() + 20_000).toUTCString(), 10_000, 20_000],
    [new Date(0).toUTCString(), 0, 0],
    ['soon', 0, 0],
  ])('T5: Retry-After %s is honoured up to 5 min', async (retryAfter, least, most) => {
    server.behave(httpBehaviours.fail({ status: 503, retryAfter }));
    const { kind, retryAfterMs } = await failureOf(await connect());
    expect(kind).toBe('retryable');
    expect(retryAfterMs).toBeGreaterThanOrEqual(least);
    expect(retryAfterMs).toBeLessThanOrEqual(most);
  });

  it('T5: an agent that is not there is retryable, and found once it is', async () => {
    const agent = await connect();
    const port = Number(new URL(server.url).port);
    await server.close();
    expect(await failureOf(agent)).toEqual(
      retryable('connection to the agent failed: ECONNREFUSED'),
    );
    server = await startHttpAgent({ port });
    expect((await run(agent)).reply.content).toBe('echo: hello there');
  });

  it.each(['ndjson', 'sse'] as const)('T5: a broken %s stream is retryable', async (format) => {
    server.behave(httpBehaviours.breakStream({ format, deltas: ['a', 'b'] }));
    const failure = await failureOf(await connect());
    expect(failure).toEqual(retryable('connection to the agent failed: UND_ERR_SOCKET'));
  });

  it.each([
    ['', terminal('no such parcel')],
    [',"retryable":true', retryable('no such parcel')],
  ])('T5: an error event of its stream says itself what it is (%s)', async (more, failure) => {
    for (const end of ['\n', '']) {
      server.behave((_turn, { respond }) => {
        const writer = respond.stream('ndjson');
        writer.raw(`{"type":"error","message":"no such parcel"${more}}${end}`);
        writer.end();
      });
      expect(await failureOf(await connect())).toEqual(failure);
    }
  });

  it.each<[string, Behaviour]>([
    [
      'ends without a final',
      (_turn, { respond }) => {
        const writer = respond.stream('ndjson');
        writer.delta('a');
        writer.end();
      },
    ],
    [
      'ends within its final',
      (_turn, { respond }) => {
        const writer = respond.stream('ndjson');
        writer.raw('{"type":"final","cont');
        writer.end();
      },
    ],
    [
      'ends within an event of Server-Sent Events',
      (_turn, { respond }) => {
        const writer = respond.stream('sse');
        writer.raw('data: {"type":"final","cont');
        writer.end();
      },
    ],
  ])('T5: a stream that %s is broken, so retryable', async (_what, behaviour) => {
    server.behave(behaviour);
    expect(await failureOf(await connect())).toEqual(retryable('the stream ended without a final'));
  });

  it('T5: no reply within the timeout is retryable and closes the connection', async () => {
    server.behave(httpBehaviours.hang());
    expect(await failureOf(await connect({ timeout: '80ms' }))).toEqual(
      retryable('no reply within 80 ms'),
    );
    await until(() => server.turns[0]?.endedAt !== null);
    expect(server.turns[0]?.closedByPeer).toBe(true);
  });

  it('T5: a stream that goes on beyond the timeout is cut', async () => {
    const deltas = Array.from({ length: 100 }, () => 'a');
    server.behave(httpBehaviours.stream({ format: 'sse', deltas, everyMs: 20 }));
    expect(await failureOf(await connect({ timeout: '150ms' }))).toEqual(
      retryable('no reply within 150 ms'),
    );
  });

  it.each<[string, Behaviour, RegExp]>([
    [
      'invalid JSON',
      (_t, { respond }) => respond.raw('application/json', '{"cont'),
      /invalid JSON/,
    ],
    ['no content', (_t, { respond }) => respond.json({ text: 'x' }), /content must be a string/],
    [
      'another type',
      (_t, { respond }) => respond.raw('text/html', '<p>'),
      /content type "text\/html"/,
    ],
    [
      'an unknown event',
      (_t, { respond }) => respond.raw('application/x-ndjson', '{"type":"token"}\n'),
      /must be delta, reasoning/,
    ],
    [
      'a line of no JSON',
      (_t, { respond }) => respond.raw('application/x-ndjson', 'hello\n'),
      /a line of invalid JSON/,
    ],
  ])('T5: %s is terminal', async (_what, behaviour, message) => {
    server.behave(behaviour);
    const failure = await failureOf(await connect());
    expect(failure.kind).toBe('terminal');
    expect(failure.message).toMatch(message);
  });

  it.each<[string, Behaviour]>([
    ['a JSON answer', (_t, { respond }) => respond.json({ content: 'x'.repeat(200_000) })],
    ['one line', (_t, { respond }) => respond.raw('application/x-ndjson', 'x'.repeat(200_000))],
    [
      'all deltas',
      httpBehaviours.stream({ format: 'sse', deltas: ['x'.repeat(600), 'y'.repeat(600)] }),
    ],
    ['JSON without end', endless('application/json', '{"content":"')],
    ['deltas without end', endless('application/x-ndjson', '{"type":"delta","content":"xxxx"}\n')],
    ['the reply', (_t, { respond }) => respond.json({ content: 'x'.repeat(1_001) })],
  ])('B1: %s over max_reply is terminal: reply_too_large', async (_what, behaviour) => {
    server.behave(behaviour);
    expect(await failureOf(await connect())).toEqual(terminal('reply_too_large'));
  });
});
