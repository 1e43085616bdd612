import { type Agent, type AgentEvent, type Reply, TerminalError } from './port.js';

export type Bounds = {
  /** Turns of this agent that run at once on this node; absent: as many as come. */
  readonly maxConcurrent: number | undefined;
  /** Size of a reply, streamed or whole; a longer one ends the turn with `reply_too_large`. */
  readonly maxReplyBytes: number;
};

/** Holds any agent to its bounds. */
export function bounded(agent: Agent, { maxConcurrent, maxReplyBytes }: Bounds): Agent {
  const slots = maxConcurrent === undefined ? undefined : makeSlots(maxConcurrent);
  return {
    ...agent,
    async *run(turn, { signal }) {
      await slots?.take(signal);
      try {
        signal.throwIfAborted();
        return yield* withinSize(agent.run(turn, { signal }), maxReplyBytes);
      } finally {
        slots?.give();
      }
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

/** Waiting turns go first come, first served; an abort ends the wait. Bounded by the worker's slots. */
function makeSlots(free: number) {
  const waiting = new Set<() => void>();
  return {
    take(signal: AbortSignal): Promise<void> {
      signal.throwIfAborted();
      if (free > 0) {
        free--;
        return Promise.resolve();
      }
      return new Promise((resolve, reject) => {
        const leave = () => {
          waiting.delete(enter);
          reject(signal.reason);
        };
        const enter = () => {
          signal.removeEventListener('abort', leave);
          resolve();
        };
        waiting.add(enter);
        signal.addEventListener('abort', leave, { once: true });
      });
    },
    give(): void {
      const [next] = waiting;
      if (!next) {
        free++;
        return;
      }
      waiting.delete(next);
      next();
    },
  };
}
