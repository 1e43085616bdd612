import type { Content, HistoryMessage, Mode, OutcomeStatus } from '@sluice/protocol';
import { jsonObject } from './damage.js';

/**
 * An accepted message as the inbox holds it: `<message_id> <accepted at, ms> <position> <mode> <body>`,
 * the body being JSON. Ids, numbers and modes have no spaces, so that scripts read them by pattern.
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

/** Of one that can be read `c` is a Content. */
type Body = {
  readonly c: Content;
  readonly m?: Record<string, unknown>;
  readonly r?: string;
  readonly t?: string;
};

const isBody = (value: { c?: unknown } | undefined): value is Body =>
  typeof value?.c === 'string' || (typeof value?.c === 'object' && value.c !== null);

type About = {
  readonly metadata?: Record<string, unknown> | undefined;
  readonly inReplyTo?: string | undefined;
  readonly traceparent?: string | undefined;
};

export function encodeBody(
  content: Content,
  { metadata, inReplyTo, traceparent }: About = {},
): string {
  const body: Body = {
    c: content,
    ...(metadata ? { m: metadata } : {}),
    ...(inReplyTo ? { r: inReplyTo } : {}),
    ...(traceparent ? { t: traceparent } : {}),
  };
  return JSON.stringify(body);
}

/** The first `count` space-separated words, then the rest unsplit. */
function words(text: string, count: number): string[] {
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
  const [messageId = '', at, position, mode, json = ''] = words(text, 4);
  const body = jsonObject(json);
  if (!isBody(body)) throw new Error(`the entry of message ${messageId} in the inbox is damaged`);
  return {
    messageId,
    atMs: Number(at),
    position: Number(position),
    mode: mode as Mode,
    content: body.c,
    metadata: body.m ?? {},
    traceparent: body.t ?? '',
  };
}

/** Whose entry it is, also of a damaged one. */
export function entryMessageId(entry: string): string {
  return words(entry, 1)[0] ?? '';
}

/** When an entry was accepted, in ms of Redis time, without the rest of it. */
export function acceptedAtMs(entry: string): number {
  return Number(words(entry, 2)[1]);
}

/** `a <message_id> <ms> <turn_id> <status> <json>`: how a turn ended, in the history list. */
export function decodeOutcome(line: string) {
  const [, messageId = '', at, turnId = '', status, json = '{}'] = words(line, 5);
  const body = JSON.parse(json) as {
    content: string;
    reason: string;
    usage?: string;
    attempt?: number;
  };
  return {
    messageId,
    atMs: Number(at),
    turnId,
    status: status as OutcomeStatus,
    content: body.content,
    reason: body.reason,
    usage: body.usage ?? '',
    attempt: body.attempt ?? 1,
  };
}

/** One line of the history list: `u <inbox entry>`, or how the turn ended. */
export function decodeHistory(line: string): HistoryMessage {
  if (line.startsWith('u ')) return userMessage(decodeEntry(line.slice(2)));
  const { messageId, atMs, turnId, status, content, reason } = decodeOutcome(line);
  return {
    role: 'assistant',
    content,
    message_id: messageId,
    timestamp: atMs / 1_000,
    turn_id: turnId,
    outcome: { status, ...(reason ? { reason } : {}) },
  };
}

/** Names a line of the history list for as long as that holds it. */
export type HistoryPlace = {
  readonly kind: 'u' | 'a';
  readonly messageId: string;
  readonly atMs: number;
};

/** Both kinds of line begin with the message's id and a time; no two of a session with the same. */
export function lineStart({ kind, messageId, atMs }: HistoryPlace): string {
  return `${kind} ${messageId} ${atMs} `;
}

export function placeOf(line: string): HistoryPlace | undefined {
  const [kind, messageId = '', at] = words(line, 3);
  return kind === 'u' || kind === 'a' ? { kind, messageId, atMs: Number(at) } : undefined;
}

export function userMessage(entry: InboxEntry): HistoryMessage {
  return {
    role: 'user',
    content: entry.content,
    message_id: entry.messageId,
    timestamp: entry.atMs / 1_000,
  };
}
