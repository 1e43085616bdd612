import { describe, expect, it } from '@jest/globals';
import { type Agent, agentSchema, makeAgent } from '@sluice/agents';
import {
  abortWhen,
  failureOf,
  makeTurn,
  run,
  terminal,
  textOf,
} from '../support/agents/agents-turn.js';

function makeEcho(given: Record<string, unknown> = {}, maxReplyBytes = 1_000): Promise<Agent> {
  const config = agentSchema.parse({ kind: 'echo', ...given });
  return makeAgent('echo', config, { baseDir: '.', maxReplyBytes });
}

describe('echo agent', () => {
  it('repeats the content, streamed word by word', async () => {
    const { events, reply } = await run(await makeEcho(), makeTurn({ content: 'one  two\nthree' }));
    expect(reply).toEqual({ content: 'echo: one  two\nthree' });
    expect(events).toHaveLength(4);
    expect(textOf(events)).toBe(reply.content);
  });

  it('repeats an object as JSON, without streaming when told so', async () => {
    const agent = await makeEcho({ stream: false });
    const { events, reply } = await run(agent, makeTurn({ content: { a: [1] } }));
    expect(events).toEqual([]);
    expect(reply.content).toBe('echo: {"a":[1]}');
  });

  it('looks at no history', async () => {
    expect((await makeEcho()).usesHistory).toBe(false);
  });

  it('answers no sooner than after delay_ms', async () => {
    const startedAt = performance.now();
    await run(await makeEcho({ delay_ms: 60 }));
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(55);
  });

  it.each([true, false])('T6: abort ends its delay at once (stream: %s)', async (stream) => {
    const agent = await makeEcho({ delay_ms: 20_000, stream });
    const { error, reason, ms } = await abortWhen(agent, () => true);
    expect(error).toBe(reason);
    expect(ms).toBeLessThan(1_000);
  });
});

describe('bounds of every agent', () => {
  it('B1: a reply over max_reply is the terminal failure reply_too_large', async () => {
    const content = 'x'.repeat(100);
    for (const stream of [true, false]) {
      const agent = await makeEcho({ stream }, 50);
      expect(await failureOf(agent, makeTurn({ content }))).toEqual(terminal('reply_too_large'));
    }
    const exact = await makeEcho({}, 'echo: '.length + 100);
    expect((await run(exact, makeTurn({ content }))).reply.content).toHaveLength(106);
  });
});
