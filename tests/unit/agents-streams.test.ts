import { describe, expect, it } from '@jest/globals';
import type { Agent, AgentEvent } from '@sluice/agents';
import { screened } from '../../packages/agents/dist/port/screened.js';
import { failureOf, makeTurn, run, terminal, textOf } from '../support/agents/agents-turn.js';

const KIB = 1024;
const limit = { maxReplyBytes: 64 * KIB };

function streaming(events: readonly AgentEvent[], content: string): Agent {
  return {
    async *run() {
      yield* events;
      return { content };
    },
  };
}

const delta = (content: string): AgentEvent => ({ type: 'delta', content });

describe('the size of what a turn streams', () => {
  const piece = 'x'.repeat(16 * KIB);
  it.each<[string, AgentEvent]>([
    ['reasoning', { type: 'reasoning', content: piece }],
    ['tool calls', { type: 'tool_call', tool_call: { piece } }],
    ['progress', { type: 'tool_progress', tool_call: { piece } }],
    ['results', { type: 'tool_result', tool_call: { piece } }],
  ])('B1 %s without end are reply_too_large', async (_what, event) => {
    const fits = streaming(Array(30).fill(event), 'done');
    expect((await run(screened(fits, limit))).reply.content).toBe('done');
    const endless = streaming(Array(33).fill(event), 'done');
    expect(await failureOf(screened(endless, limit))).toEqual(terminal('reply_too_large'));
  });

  it('B1 a reply is counted in bytes of UTF-8 while it streams', async () => {
    const agent = streaming(Array(3).fill(delta('é'.repeat(16 * KIB))), 'done');
    expect(await failureOf(screened(agent, limit))).toEqual(terminal('reply_too_large'));
  });
});

describe('text that is cut within a character', () => {
  const smile = '\u{1f600}';
  const [high = '', low = ''] = smile.split('');
  it.each<[string, string[]]>([
    ['a pair over two deltas', ['a', high, low, 'b']],
    ['a pair over a delta and an empty one', [`a${high}`, '', `${low}b`]],
    ['a first half alone', [`a${high}`, 'b']],
    ['a second half alone', ['a', `${low}b`]],
    ['two first halves', [high, high, low]],
    ['a first half at the end', ['a', high]],
  ])('E1 the deltas add up to the reply: %s', async (_what, pieces) => {
    const { events, reply } = await run(
      screened(streaming(pieces.map(delta), pieces.join('')), limit),
      makeTurn(),
    );
    expect(reply.content).toBe(Buffer.from(pieces.join('')).toString());
    // As a reader gets them who decodes each event by itself.
    const texts = events.map((event) => Buffer.from(textOf([event])).toString());
    expect(texts.join('')).toBe(reply.content);
  });

  it('E1 reasoning has its own halves', async () => {
    const events: AgentEvent[] = [
      { type: 'reasoning', content: high },
      delta('x'),
      { type: 'reasoning', content: low },
    ];
    const told = await run(screened(streaming(events, 'x'), limit));
    expect(told.events).toEqual([delta('x'), { type: 'reasoning', content: smile }]);
  });
});
