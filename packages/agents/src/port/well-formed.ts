import type { AgentEvent, Reply } from './port.js';

type Text = Extract<AgentEvent, { content: string }>;

/**
 * Makes the UTF-16 text of one turn valid Unicode, so that its deltas add up to its reply. The first half of a
 * character waits for the delta with the second half. A half that stays alone becomes U+FFFD, as in UTF-8.
 */
export function wholeCharacters() {
  const halves = new Map<Text['type'], string>();
  return {
    /** Returns undefined when nothing is left to send: a half waits, or the text is empty. */
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
    /** At the end of the turn: halves that stayed alone. */
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
