import type { HistoryMessage, OutcomeStatus } from '@sluice/protocol';
import { decodePublished, type LogEvent } from './event-log.js';
import { decodeEntry, decodeInput, userMessage, words } from './inbox-entry.js';

/**
 * Lines of the history list, as scripts return them (include/lines.lua): `<u or a><seq> <bytes> <ms> <lengths>`, a
 * line break and the fields of an event; or `u <inbox entry>` and `a <message_id> <ms> <turn_id> <status> <json>`.
 */
const EVENT_LINE = /^[ua](\d+) \d+ (?=\d+ \d)/;

export type Outcome = Omit<LogEvent & { kind: 'final' }, 'position'>;

/** undefined: the line has no event. Throws when it is damaged. */
function eventOf(line: string): LogEvent | undefined {
  if (!EVENT_LINE.test(line)) return undefined;
  const [event] = decodePublished(Buffer.from(line.replace(EVENT_LINE, '0 $1 '))) ?? [];
  if (!event || event.kind === 'opaque') throw new Error('a line of the history is damaged');
  return event;
}

/** How a turn ended. Throws when the line is damaged, or is not an outcome. */
export function decodeOutcome(line: string): Outcome {
  const event = eventOf(line);
  if (event?.kind === 'final') return { ...event, epoch: '', seq: 0 };
  if (event || !line.startsWith('a ')) throw new Error('a line of the history is damaged');
  const [, messageId = '', at, turnId = '', status, json = '{}'] = words(line, 5);
  const body = JSON.parse(json) as {
    content: string;
    reason: string;
    usage?: string;
    attempt?: number;
  };
  return {
    kind: 'final',
    ...{ epoch: '', seq: 0, mergedInto: '' },
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

/** Throws when the line is damaged. */
export function decodeHistory(line: string): HistoryMessage {
  if (line.startsWith('u ')) return userMessage(decodeEntry(line.slice(2)));
  const event = line.startsWith('u') ? eventOf(line) : undefined;
  const input = event?.kind === 'accepted' ? decodeInput(event.body ?? '') : undefined;
  if (event?.kind === 'accepted' && input) return userMessage({ ...event, ...input });
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

/** Names a line for as long as the list holds it. */
export type HistoryPlace =
  | { readonly kind: 'u' | 'a'; readonly seq: number }
  | { readonly kind: 'u' | 'a'; readonly messageId: string; readonly atMs: number };

/** The beginning of the line, which no other line of the session has. */
export function lineStart(place: HistoryPlace): string {
  if ('seq' in place) return `${place.kind}${place.seq} `;
  return `${place.kind} ${place.messageId} ${place.atMs} `;
}

/** Where a line stands; undefined: it is damaged. */
export function placeOf(line: string): HistoryPlace | undefined {
  const [named = '', messageId = '', at] = words(line, 3);
  const kind = named.charAt(0);
  if (kind !== 'u' && kind !== 'a') return undefined;
  if (named === kind) return { kind, messageId, atMs: Number(at) };
  return { kind, seq: Number(named.slice(1)) };
}
