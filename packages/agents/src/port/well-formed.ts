import type { AgentEvent, Reply } from './port.js';

type Text = Extract<AgentEvent, { content: string }>;

/**
 * Makes the text of one turn, which is UTF-16, into text of Unicode, so that its deltas add up to its reply: the first
 * half of a character waits for the delta that has the second; a half that stays alone is U+FFFD everywhere, which is
 * what UTF-8 makes of it.
 */
export function wholeCharacters() {
  const halves = new Map<Text['type'], string>();
  return {
    /** undefined: nothing but a half, which waits. */
    event(event: AgentEvent): AgentEvent | undefined {
      if (event.type !== 'delta' && event.type !== 'reasoning') return event;
      const { type } = event;
      const text = halves.size > 0 ? (halves.get(type) ?? '') + event.content : event.content;
      halves.delete(type);
      if (endsInHalf(text)) {
        halves.set(type, text.slice(-1));
        return text.length > 1 ? { type, content: text.slice(0, -1).toWellFormed() } : undefined;
      }
      const content = text.toWellFormed();
      if (content === '') return undefined;
      return content === event.content ? event : { type, content };
    },
    /** Halves that stay alone. */
    rest: (): Text[] => [...halves].map(([type, half]) => ({ type, content: half.toWellFormed() })),
    reply(reply: Reply): Reply {
      const content = reply.content.toWellFormed();
      return content === reply.content ? reply : { ...reply, content };
    },
  };
}

function endsInHalf(text: string): boolean {
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xd800 && last <= 0xdbff;
}
