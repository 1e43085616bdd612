import type { AgentEvent } from '@sluice/agents';
import type { StreamType } from '@sluice/protocol';
import { streamFields } from '@sluice/store';

/** Deltas wait for more, at the latest so long or until they are so large (protocol.md). */
const FLUSH_MS = 25;
const FLUSH_BYTES = 4_096;
/** While so much waits behind an append, the agent is not asked for more. */
const WAITING_BYTES_MAX = 256 * 1024;

/** Appends a numbered batch; false when the lease is gone. Must not give up before that. */
export type Append = (number: number, batch: string[][]) => Promise<boolean>;

export type DeltaBuffer = {
  /** Answers what to wait for before the next event is taken, when Redis is behind the agent. */
  push(event: AgentEvent): Promise<unknown> | undefined;
  /** Waits for the batch under way; answers what was not yet sent, for the commit to carry. */
  settle(): Promise<string[][]>;
  /** Whether anything was streamed. */
  readonly used: boolean;
};

const typeByEvent: Record<AgentEvent['type'], StreamType> = {
  delta: 'token_stream',
  reasoning: 'reasoning_stream',
  tool_call: 'tool_call_stream',
  tool_progress: 'tool_progress_stream',
  tool_result: 'tool_result_stream',
};

type Waiting = { type: StreamType; content: string } | { type: 'encoded'; fields: string[] };

/** Coalesces what an agent streams into few appends, one under way at a time. */
export function makeDeltaBuffer(messageId: string, append: Append): DeltaBuffer {
  let waiting: Waiting[] = [];
  let bytes = 0;
  let number = 0;
  let timer: NodeJS.Timeout | undefined;
  let sending: Promise<unknown> | undefined;
  let used = false;

  const encode = (w: Waiting) =>
    w.type === 'encoded' ? w.fields : streamFields(w.type, messageId, { content: w.content });

  function take(): string[][] {
    clearTimeout(timer);
    timer = undefined;
    const batch = waiting.map(encode);
    waiting = [];
    bytes = 0;
    return batch;
  }

  function flush() {
    if (sending || waiting.length === 0) return;
    sending = append(++number, take()).finally(() => {
      sending = undefined;
      if (bytes >= FLUSH_BYTES) flush();
    });
  }

  function add(event: AgentEvent) {
    const type = typeByEvent[event.type];
    const last = waiting.at(-1);
    if (event.type === 'delta' || event.type === 'reasoning') {
      if (last !== undefined && last.type !== 'encoded' && last.type === type) {
        last.content += event.content;
      } else waiting.push({ type, content: event.content });
      bytes += event.content.length;
    } else {
      const fields = streamFields(type, messageId, { tool_call: event.tool_call ?? null });
      waiting.push({ type: 'encoded', fields });
      // Rare, and worth showing at once, however small.
      bytes += fields.reduce((sum, field) => sum + field.length, FLUSH_BYTES);
    }
  }

  return {
    push(event) {
      used = true;
      add(event);
      if (bytes >= FLUSH_BYTES) flush();
      else
        timer ??= setTimeout(() => {
          timer = undefined;
          flush();
        }, FLUSH_MS);
      return bytes >= WAITING_BYTES_MAX ? sending : undefined;
    },
    async settle() {
      clearTimeout(timer);
      while (sending) await sending;
      return take();
    },
    get used() {
      return used;
    },
  };
}
