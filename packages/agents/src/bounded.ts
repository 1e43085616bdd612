import { type Agent, type AgentEvent, type Reply, TerminalError } from './port.js';

/**
 * What a turn streams beside its reply (reasoning, tool events) has so many times the room of a reply. The
 * event log holds as much by default: a turn that streams more pushes its own beginning out of it.
 */
const STREAM_REPLIES = 8;

/** Holds any agent to the size of a reply, streamed or whole: a longer one is `reply_too_large`. */
export function bounded(agent: Agent, { maxReplyBytes }: { maxReplyBytes: number }): Agent {
  return {
    ...agent,
    async *run(turn, options) {
      options.signal.throwIfAborted();
      return yield* withinSize(agent.run(turn, options), maxReplyBytes);
    },
  };
}

async function* withinSize(run: AsyncGenerator<AgentEvent, Reply, void>, maxBytes: number) {
  let replyBytes = 0;
  let otherBytes = 0;
  try {
    for (;;) {
      const step = await run.next();
      if (step.done) {
        refuseOver(Buffer.byteLength(step.value.content), maxBytes);
        return step.value;
      }
      if (step.value.type === 'delta') replyBytes += Buffer.byteLength(step.value.content);
      else otherBytes += sizeOf(step.value);
      refuseOver(replyBytes, maxBytes);
      refuseOver(otherBytes, STREAM_REPLIES * maxBytes);
      yield step.value;
    }
  } finally {
    await run.return({ content: '' });
  }
}

function sizeOf(event: Exclude<AgentEvent, { type: 'delta' }>): number {
  if (event.type === 'reasoning') return Buffer.byteLength(event.content);
  return Buffer.byteLength(JSON.stringify(event.tool_call) ?? '');
}

function refuseOver(bytes: number, maxBytes: number): void {
  if (bytes > maxBytes) throw new TerminalError('reply_too_large');
}
