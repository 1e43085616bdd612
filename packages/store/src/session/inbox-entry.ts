import type { Content, HistoryMessage, Mode } from '@sluice/protocol';
import { jsonObject, jsonText } from '../keys/damage.js';

/**
 * An accepted message as the inbox holds it: `<message_id> <accepted at, ms> <position> <mode>.<seq> <body>`,
 * The body is JSON; `.<seq>` names the event that has it too, and is left out when none has. Ids, numbers and modes
 * have no spaces, so that scripts can read them by pattern.
 */
export type InboxEntry = {
  readonly messageId: string;
  readonly atMs: number;
  readonly position: number;
  readonly mode: Mode;
  readonly content: Content;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Of the span in which it was accepted; '' when that was not traced. */
  readonly traceparent: string;
};

/** Content, metadata, in_reply_to and traceparent. A body that is only a text is stored as that text, as JSON. */
type Body = {
  readonly c: Content;
  readonly m?: Record<string, unknown>;
  readonly r?: string;
  readonly t?: string;
};

/** What a client sent with a message. */
export type Input = {
  readonly content: Content;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly inReplyTo?: string;
};

const isBody = (value: { c?: unknown } | undefined): value is Body =>
  typeof value?.c === 'string' || (typeof value?.c === 'object' && value.c !== null);

type About = {
  readonly metadata?: Record<string, unknown> | undefined;
  readonly inReplyTo?: string | undefined;
  readonly traceparent?: string | undefined;
};

/** A body as JSON, as the inbox and the log hold it. */
export function encodeBody(
  content: Content,
  { metadata, inReplyTo, traceparent }: About = {},
): string {
  const isAlone = !metadata && !inReplyTo && !traceparent;
  if (typeof content === 'string' && isAlone) return JSON.stringify(content);
  const body: Body = {
    c: content,
    ...(metadata ? { m: metadata } : {}),
    ...(inReplyTo ? { r: inReplyTo } : {}),
    ...(traceparent ? { t: traceparent } : {}),
  };
  return JSON.stringify(body);
}

/** undefined: it is damaged. */
function decodeBody(json: string): Body | undefined {
  const body = json.startsWith('"') ? { c: jsonText(json) } : jsonObject(json);
  return isBody(body) ? body : undefined;
}

/** What readers see of a body; undefined: it is damaged. */
export function decodeInput(json: string): Input | undefined {
  const body = decodeBody(json);
  if (!body) return undefined;
  const { c: content, m: metadata, r: inReplyTo } = body;
  return { content, ...(metadata ? { metadata } : {}), ...(inReplyTo ? { inReplyTo } : {}) };
}

/** The first `count` space-separated words, then the rest unsplit. */
export function words(text: string, count: number): string[] {
  const parts: string[] = [];
  let from = 0;
  for (let i = 0; i < count; i++) {
    const to = text.indexOf(' ', from);
    parts.push(text.slice(from, to));
    from = to + 1;
  }
  parts.push(text.slice(from));
  return parts;
}

/** Throws when the entry is damaged. */
export function decodeEntry(text: string): InboxEntry {
  const [messageId = '', at, position, mode = '', json = ''] = words(text, 4);
  const body = decodeBody(json);
  if (!body) throw new Error(`the entry of message ${messageId} in the inbox is damaged`);
  return {
    messageId,
    atMs: Number(at),
    position: Number(position),
    mode: mode.slice(0, mode.search(/\.|$/)) as Mode,
    content: body.c,
    metadata: body.m ?? {},
    traceparent: body.t ?? '',
  };
}

/** The id of an entry's message, also of a damaged one. */
export function entryMessageId(entry: string): string {
  return words(entry, 1)[0] ?? '';
}

/** When an entry was accepted, in ms of Redis time, without the rest of it. */
export function acceptedAtMs(entry: string): number {
  return Number(words(entry, 2)[1]);
}

/** A message as clients see it in the history; its `timestamp` is in seconds. */
export function userMessage(
  entry: Pick<InboxEntry, 'content' | 'messageId' | 'atMs'>,
): HistoryMessage {
  return {
    role: 'user',
    content: entry.content,
    message_id: entry.messageId,
    timestamp: entry.atMs / 1_000,
  };
}
