import type { z } from 'zod';
import { type ClientFrame, messageIdSchema, schemas } from './client-frames.js';
import type { ErrorCode } from './errors.js';

/** Objects and arrays within objects and arrays; deeper frames are refused (X4). */
export const MAX_NESTING = 32;

export type Refusal = {
  readonly kind: 'refused';
  readonly code: ErrorCode;
  readonly message: string;
  readonly field?: string;
  /** Given when the refused frame carried a valid one. */
  readonly messageId?: string;
};
export type Decoded = { readonly kind: 'frame'; readonly frame: ClientFrame } | Refusal;

/** Text of one WebSocket frame -> a client frame, or why it is none. Never throws. */
export function decode(text: string): Decoded {
  const parsed = parseJson(text);
  return parsed.kind === 'json' ? decodeValue(parsed.value) : parsed;
}

/** JSON of a bounded depth, or why it is none. Never throws. */
export function parseJson(text: string): { readonly kind: 'json'; value: unknown } | Refusal {
  if (nestsDeeperThan(text, MAX_NESTING)) {
    return refuse(`frames may nest at most ${MAX_NESTING} levels deep`);
  }
  try {
    return { kind: 'json', value: JSON.parse(text) };
  } catch {
    return refuse('frame is not valid JSON; send one JSON object per text frame');
  }
}

/** As `decode`, for a value already parsed (HTTP bodies). */
export function decodeValue(value: unknown): Decoded {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refuse('frame must be a JSON object');
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
  const result = schemas.message.safeParse({ ...raw, content });
  if (!result.success) return fromIssues(result.error, raw);
  const { type: _type, ...message } = result.data;
  if (message.content === '/stop' || message.content === 'stop') {
    return { kind: 'frame', frame: { type: 'abort', reason: 'user' } };
  }
  return { kind: 'frame', frame: { type: 'message', ...message } };
}

function decodeTyped(type: keyof typeof schemas, raw: Record<string, unknown>): Decoded {
  const result = schemas[type].safeParse(raw);
  if (!result.success) {
    const refusal = fromIssues(result.error, raw);
    const isVersion = type === 'join' && /^(min|max)_version$/.test(refusal.field ?? '');
    return isVersion ? { ...refusal, code: 'invalid_protocol_hello' } : refusal;
  }
  if (type === 'abort' || type === 'message_abort') {
    const { reason } = result.data as { reason?: string };
    return { kind: 'frame', frame: { type: 'abort', reason: reason ?? 'user' } };
  }
  return { kind: 'frame', frame: result.data as ClientFrame };
}

/** The first thing that is wrong, and where. */
export function firstIssue(error: z.ZodError): { field: string; message: string } {
  const issue = error.issues[0];
  const field = issue?.path.join('.') ?? '';
  const text = issue?.message ?? 'invalid';
  return { field, message: field ? `${field}: ${text}` : text };
}

function fromIssues(error: z.ZodError, raw: Record<string, unknown>): Refusal {
  const { field, message } = firstIssue(error);
  return { ...refuse(message, field), ...messageIdOf(raw) };
}

function messageIdOf(raw: Record<string, unknown>): { messageId?: string } {
  const { success, data } = messageIdSchema.safeParse(raw.message_id);
  return success ? { messageId: data } : {};
}

function refuse(message: string, field?: string): Refusal {
  return { kind: 'refused', code: 'invalid_frame', message, ...(field ? { field } : {}) };
}

function quote(value: unknown): string {
  return typeof value === 'string' ? `"${value.slice(0, 40)}"` : `of type ${typeof value}`;
}

/** Counts brackets outside strings, so that JSON.parse never sees a hostile depth. */
function nestsDeeperThan(text: string, limit: number): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (inString) {
      if (c === 0x5c) i++;
      else if (c === 0x22) inString = false;
    } else if (c === 0x22) inString = true;
    else if (c === 0x7b || c === 0x5b) {
      if (++depth > limit) return true;
    } else if (c === 0x7d || c === 0x5d) depth--;
  }
  return false;
}
