import { replyRoom } from './bounded.js';
import type { Agent, AgentEvent, Reply, RunOptions, Turn } from './port.js';
import { wholeCharacters } from './well-formed.js';

/** Wraps an agent: what it streams and replies becomes valid Unicode and is held to the size limits. */
export function screened(agent: Agent, { maxReplyBytes }: { maxReplyBytes: number }): Agent {
  return { ...agent, run: (turn, options) => screen(agent, { turn, options, maxReplyBytes }) };
}

type Run = { readonly turn: Turn; readonly options: RunOptions; readonly maxReplyBytes: number };

/** One generator for both checks: each generator costs several promises per token. */
async function* screen(
  agent: Agent,
  { turn, options, maxReplyBytes }: Run,
): AsyncGenerator<AgentEvent, Reply, void> {
  options.signal.throwIfAborted();
  const characters = wholeCharacters();
  const room = replyRoom(maxReplyBytes);
  const run = agent.run(turn, options);
  try {
    for (;;) {
      const step = await run.next();
      if (step.done) {
        for (const event of characters.rest()) {
          room.event(event);
          yield event;
        }
        const reply = characters.reply(step.value);
        room.reply(reply);
        return reply;
      }
      const event = characters.event(step.value);
      if (event === undefined) continue;
      room.event(event);
      yield event;
    }
  } finally {
    await run.return({ content: '' });
  }
}
