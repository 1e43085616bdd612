import { type Agent, type AgentEvent, type Reply, TerminalError } from './port.js';

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
  let bytes = 0;
  try {
    for (;;) {
      const step = await run.next();
      if (step.done) {
        refuseOver(Buffer.byteLength(step.value.content), maxBytes);
        return step.value;
      }
      if (step.value.type === 'delta') bytes += Buffer.byteLength(step.value.content);
      refuseOver(bytes, maxBytes);
      yield step.value;
    }
  } finally {
    await run.return({ content: '' });
  }
}

function refuseOver(bytes: number, maxBytes: number): void {
  if (bytes > maxBytes) throw new TerminalError('reply_too_large');
}
