import type { z } from 'zod';
import { type AbortFrame, type ClientFrame, messageIdSchema, schemas } from './client-frames.js';
import type { ErrorCode } from './errors.js';
import { parseExactJson } from './exact-json.js';
import { checked, firstIssue } from './sentences.js';

export type Refusal = {
  readonly kind: 'refused';
  readonly code: ErrorCode;
  readonly message: string;
  readonly field?: string;
  /** The `message_id` of the refused frame, if it had a valid one. */
  readonly messageId?: string;
};
export type Decoded = { readonly kind: 'frame'; readonly frame: ClientFrame } | Refusal;

/** Text of one WebSocket frame -> a client frame, or why it is invalid. Never throws. */
export function decode(text: string): Decoded {
  const parsed = parseExactJson(text);
  if (parsed.kind === 'json') return decodeValue(parsed.value);
  return { ...refuse(parsed.message, parsed.field), ...messageIdOf(Object(parsed.value)) };
}

/** As `decode`, for a value already parsed (HTTP bodies). */
export function decodeValue(value: unknown): Decoded {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refuse('a frame must be one JSON object');
  }
  const raw = value as Record<string, unknown>;
  const type = raw.type ?? 'message';
  if (typeof type !== 'string' || !Object.hasOwn(schemas, type)) {
    const text = `unknown frame type ${quote(type)}; known: ${Object.keys(schemas).join(', ')}`;
    return { ...refuse(text, 'type'), ...messageIdOf(raw) };
  }
  return type === 'message' ? decodeMessage(raw) : decodeTyped(type as keyof typeof schemas, raw);
}

function decodeMessage(raw: Record<string, unknown>): Decoded {
  const content = raw.content ?? raw.text;
  const result = checked(schemas.message, { ...raw, content });
  if (!result.success) return fromIssues(result.error, raw);
  const { type: _type, ...message } = result.data;
  if (message.content === '/stop' || message.content === 'stop') {
    const frame = { type: 'abort', reason: 'user', abort_id: message.message_id } as const;
    return { kind: 'frame', frame };
  }
  return { kind: 'frame', frame: { type: 'message', ...message } };
}

function decodeTyped(type: keyof typeof schemas, raw: Record<string, unknown>): Decoded {
  const result = checked(schemas[type], raw);
  if (!result.success) {
    const refusal = fromIssues(result.error, raw);
    const isVersion = type === 'join' && /^(min|max)_version$/.test(refusal.field ?? '');
    return isVersion ? { ...refusal, code: 'invalid_protocol_hello' } : refusal;
  }
  if (type === 'abort' || type === 'message_abort') {
    const { reason, message_id, abort_id } = result.data as Partial<AbortFrame>;
    const frame = { type: 'abort', reason: reason ?? 'user', message_id, abort_id } as const;
    return { kind: 'frame', frame };
  }
  return { kind: 'frame', frame: result.data as ClientFrame };
}

function fromIssues(error: z.ZodError, raw: Record<string, unknown>): Refusal {
  const { field, message } = firstIssue(error);
  return { ...refuse(message, field), ...messageIdOf(raw) };
}

function messageIdOf(raw: Record<string, unknown>): { messageId?: string } {
  const { success, data } = checked(messageIdSchema, raw.message_id);
  return success ? { messageId: data } : {};
}

function refuse(message: string, field?: string): Refusal {
  return { kind: 'refused', code: 'invalid_frame', message, ...(field ? { field } : {}) };
}

function quote(value: unknown): string {
  return typeof value === 'string' ? `"${value.slice(0, 40)}"` : `of type ${typeof value}`;
}
