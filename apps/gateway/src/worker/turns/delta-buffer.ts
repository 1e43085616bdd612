import type { AgentEvent } from '@sluice/agents';
import type { StreamType } from '@sluice/protocol';
import { monotonicMs } from '@sluice/runtime';
import { streamFields } from '@sluice/store';
import type { DeltaPace } from '../gates/delta-pace.js';

/** Deltas that are this large together do not wait for more (protocol.md). */
const FLUSH_BYTES = 4_096;
/** While this much waits for an append under way, the agent is not asked for more. */
const WAITING_BYTES_MAX = 256 * 1024;
/** Progress of tool calls goes to the log at most once in this time; only the newest of each call. */
const PROGRESS_MS = 100;
/** Tool calls whose progress waits; with one more, that of the oldest is dropped. */
const PROGRESS_CALLS_MAX = 16;

/** Appends a numbered batch; false: the lease is gone. Must not give up before that. */
export type Append = (number: number, batch: string[][]) => Promise<boolean>;

export type DeltaBuffer = {
  /** Returns what to wait for before the next event, if Redis is slower than the agent. */
  push(event: AgentEvent): Promise<unknown> | undefined;
  /** Waits for the batch under way; returns what was not sent yet, for the commit. Throws the failure of an append. */
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

export type DeltaBufferOptions = {
  readonly append: Append;
  readonly pace: DeltaPace;
  onFailed?(): void;
};

/**
 * Coalesces what an agent streams into few appends, one under way at a time. An append that fails ends the buffer.
 * Nothing awaits an append where it is made, so its failure is kept for `settle`, and `onFailed` stops the turn.
 */
export function makeDeltaBuffer(
  messageId: string,
  { append, pace, onFailed }: DeltaBufferOptions,
): DeltaBuffer {
  let waiting: Waiting[] = [];
  let bytes = 0;
  /** The newest progress of each tool call. Joins `waiting` when due, at the latest before the next call or result. */
  const progress = new Map<string, string[]>();
  let progressMs = Number.NEGATIVE_INFINITY;
  let number = 0;
  /** The window ended while an append was under way. */
  let isDue = false;
  let sending: Promise<unknown> | undefined;
  let ended: { readonly failure?: unknown } | undefined;
  let used = false;

  const encode = (w: Waiting) =>
    w.type === 'encoded' ? w.fields : streamFields(w.type, messageId, { content: w.content });

  function take(): string[][] {
    pace.forget(due);
    isDue = false;
    const batch = waiting.map(encode);
    waiting = [];
    bytes = 0;
    return batch;
  }

  function addProgress(): void {
    for (const fields of progress.values()) addEncoded(fields);
    if (progress.size > 0) progressMs = monotonicMs();
    progress.clear();
  }

  function addEncoded(fields: string[]): void {
    waiting.push({ type: 'encoded', fields });
    bytes += sizeOf(fields);
  }

  function end(how: { readonly failure?: unknown }): void {
    ended = how;
    progress.clear();
    take();
  }

  function flush(): void {
    if (sending || ended) return;
    if (monotonicMs() - progressMs >= PROGRESS_MS) addProgress();
    if (waiting.length > 0) {
      const sentMs = monotonicMs();
      sending = append(++number, take())
        .then((isOurs) => {
          pace.took(monotonicMs() - sentMs);
          if (!isOurs) end({});
        })
        .catch((failure: unknown) => {
          end({ failure });
          onFailed?.();
        })
        .finally(() => {
          sending = undefined;
          if (isDue || bytes >= FLUSH_BYTES) flush();
        });
    }
    if (progress.size > 0) flushLater();
  }

  function due(): void {
    isDue = true;
    flush();
  }

  /** The first delta of a turn waits only for those that come in the same round of the event loop. */
  function flushLater(): void {
    if (number === 0) pace.soon(due);
    else pace.later(due);
  }

  function add(event: AgentEvent): void {
    const type = typeByEvent[event.type];
    if (event.type === 'delta' || event.type === 'reasoning') {
      const last = waiting.at(-1);
      if (last !== undefined && last.type !== 'encoded' && last.type === type) {
        last.content += event.content;
      } else waiting.push({ type, content: event.content });
      bytes += event.content.length;
      return;
    }
    const fields = streamFields(type, messageId, { tool_call: event.tool_call ?? null });
    if (event.type === 'tool_progress') {
      const call = callOf(event.tool_call);
      progress.delete(call);
      progress.set(call, fields);
      const [oldest] = progress.keys();
      if (progress.size > PROGRESS_CALLS_MAX && oldest !== undefined) progress.delete(oldest);
      // Large progress does not wait in `progress`, whose bytes are not counted.
      if (sizeOf(fields) >= WAITING_BYTES_MAX / PROGRESS_CALLS_MAX) addProgress();
      return;
    }
    addProgress();
    addEncoded(fields);
    bytes += FLUSH_BYTES; // rare, and worth showing at once, however small
  }

  return {
    push(event) {
      used = true;
      if (ended) return undefined;
      add(event);
      if (bytes >= FLUSH_BYTES) flush();
      else flushLater();
      return bytes >= WAITING_BYTES_MAX ? sending : undefined;
    },
    async settle() {
      pace.forget(due);
      while (sending) await sending;
      if (ended && 'failure' in ended) throw ended.failure;
      addProgress();
      return take();
    },
    get used() {
      return used;
    },
  };
}

function sizeOf(fields: readonly string[]): number {
  return fields.reduce((sum, field) => sum + field.length, 0);
}

/** The id of a tool call, by its usual names; '' where an agent gives none. */
function callOf(call: unknown): string {
  if (typeof call !== 'object' || call === null) return '';
  if ('id' in call) return String(call.id);
  return 'tool_call_id' in call ? String(call.tool_call_id) : '';
}
