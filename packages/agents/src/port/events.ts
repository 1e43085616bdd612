import { checked, firstIssue } from '@sluice/protocol';
import { z } from 'zod';
import { type AgentEvent, type Reply, RetryableError, TerminalError } from './port.js';

const usage = z.record(z.string(), z.unknown());
const text = z.string({ error: 'must be a string' });

/** What an agent returns, and the whole answer of an HTTP agent. */
export const replySchema = z.object({ content: text, usage: usage.nullish() });

const eventSchema = z.discriminatedUnion(
  'type',
  [
    z.object({ type: z.literal('delta'), content: text }),
    z.object({ type: z.literal('reasoning'), content: text }),
    z.object({ type: z.literal('tool_call'), tool_call: z.unknown() }),
    z.object({ type: z.literal('tool_progress'), tool_call: z.unknown() }),
    z.object({ type: z.literal('tool_result'), tool_call: z.unknown() }),
  ],
  { error: 'must be delta, reasoning, tool_call, tool_progress, tool_result or final' },
);

export type Decoded<T> =
  | { readonly kind: 'ok'; readonly value: T }
  | { readonly kind: 'wrong'; readonly why: string };

/** Largest answer or line in bytes: a reply of `maxReplyBytes` in the longest JSON escapes, and other fields. */
export function maxItemBytes(maxReplyBytes: number): number {
  return 6 * maxReplyBytes + 2 ** 16;
}

const failureSchema = z.object({
  message: text,
  retryable: z.boolean().default(false),
  retry_after_ms: z.number().min(0).optional(),
});

/** The error of an `error` event, with which an agent reports a failed turn; clients read its message. */
export function takeFailure(value: unknown, what: string): Error {
  const { message, retryable, retry_after_ms } = take(decoded(checked(failureSchema, value)), what);
  return retryable ? new RetryableError(message, retry_after_ms) : new TerminalError(message);
}

export function hasType<T extends string>(
  value: unknown,
  type: T,
): value is { readonly type: T; readonly content?: unknown } {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === type;
}

/** Returns what was decoded; else throws TerminalError, which ends the turn. */
export function take<T>(result: Decoded<T>, what: string): T {
  if (result.kind === 'wrong') throw new TerminalError(`${what} ${result.why}`);
  return result.value;
}

/** Decodes an event of foreign code. Nearly all are deltas, which are recognised without a schema. */
export function decodeEvent(value: unknown): Decoded<AgentEvent> {
  if (hasType(value, 'delta') && typeof value.content === 'string') {
    return { kind: 'ok', value: { type: 'delta', content: value.content } };
  }
  return decoded(checked(eventSchema, value));
}

/** Decodes a reply of foreign code; other fields are left out. */
export function decodeReply(value: unknown): Decoded<Reply> {
  const result = decoded(checked(replySchema, value));
  if (result.kind === 'wrong') return result;
  const { content, usage } = result.value;
  return { kind: 'ok', value: usage ? { content, usage } : { content } };
}

function decoded<T>(result: z.ZodSafeParseResult<T>): Decoded<T> {
  if (result.success) return { kind: 'ok', value: result.data };
  return { kind: 'wrong', why: firstIssue(result.error).message };
}
