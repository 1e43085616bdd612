import type { Agent, AgentEvent, Reply } from './port.js';

type Text = Extract<AgentEvent, { content: string }>['type'];

/**
 * Makes text of UTF-16 into text of Unicode, so that the deltas of a turn add up to its reply: the first half
 * of a character waits for the delta that has the second; a half that stays alone is U+FFFD everywhere, which
 * is what UTF-8 makes of it.
 */
export function wellFormed(agent: Agent): Agent {
  return {
    ...agent,
    async *run(turn, options) {
      return yield* withWholeCharacters(agent.run(turn, options));
    },
  };
}

async function* withWholeCharacters(run: AsyncGenerator<AgentEvent, Reply, void>) {
  const halves = new Map<Text, string>();
  try {
    for (;;) {
      const step = await run.next();
      if (step.done) {
        for (const [type, half] of halves) {
          if (half !== '') yield { type, content: half.toWellFormed() };
        }
        return { ...step.value, content: step.value.content.toWellFormed() };
      }
      const event = step.value;
      if (event.type !== 'delta' && event.type !== 'reasoning') {
        yield event;
        continue;
      }
      const [whole, half] = cut((halves.get(event.type) ?? '') + event.content);
      halves.set(event.type, half);
      if (whole !== '') yield { ...event, content: whole.toWellFormed() };
    }
  } finally {
    await run.return({ content: '' });
  }
}

/** The text, and the first half of a character at its end, '' where it ends with a whole one. */
function cut(text: string): [whole: string, half: string] {
  const last = text.charCodeAt(text.length - 1);
  const isHalf = last >= 0xd800 && last <= 0xdbff;
  return isHalf ? [text.slice(0, -1), text.slice(-1)] : [text, ''];
}
