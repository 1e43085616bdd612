import type {
  AcceptedFrame,
  Durability,
  ErrorCode,
  ErrorFrame,
  FinalFrame,
  Logged,
  LoggedFrame,
  Mode,
} from '@sluice/protocol';
import { isRetryable } from '@sluice/protocol';
import { decodeInput, type LogEvent, type LoggedEvent } from '@sluice/store';

/** The session that frames speak of. */
export type FrameSession = { readonly sessionId: string; readonly agentId: string };

type Of<K extends LogEvent['kind']> = LogEvent & { kind: K };

/** An event as it goes on the wire: each form is built once per node, for all its connections. */
export class BuiltEvent {
  /** The frame as JSON. */
  readonly text: string;
  #bytes: Buffer | undefined;
  #replayText: string | undefined;
  #replayBytes: Buffer | undefined;

  /** Throws when a part of the event cannot be read. */
  constructor(
    readonly event: LogEvent,
    private readonly session: FrameSession,
  ) {
    this.text = textOf(event, session);
  }

  /** The type of the frame. */
  get type(): LoggedFrame['type'] {
    const { event } = this;
    if (event.kind === 'stream') return event.type;
    return event.kind === 'session_end' ? 'session_end' : 'response';
  }

  get bytes(): Buffer {
    this.#bytes ??= Buffer.from(this.text);
    return this.#bytes;
  }

  /** The frame wrapped for a replay, as JSON. */
  get replayText(): string {
    this.#replayText ??= replayText(this, this.session);
    return this.#replayText;
  }

  get replayBytes(): Buffer {
    this.#replayBytes ??= Buffer.from(this.replayText);
    return this.#replayBytes;
  }
}

/** undefined: a part of the event cannot be read; readers of the log step over it. */
export function buildReadable(event: LoggedEvent, session: FrameSession): BuiltEvent | undefined {
  if (event.kind === 'opaque') return undefined;
  try {
    return new BuiltEvent(event, session);
  } catch {
    return undefined; // what an agent sent with the event is no JSON
  }
}

/** Adds the fields that are for one connection alone; `text` is the JSON of an object. */
export function withMore(text: string, more: Beside): string {
  return `${text.slice(0, -1)},${JSON.stringify(more).slice(1)}`;
}

type Beside = Pick<Logged, 'epoch' | 'skipped'> & Pick<AcceptedFrame, 'durability'>;

function textOf(event: LogEvent, session: FrameSession): string {
  switch (event.kind) {
    case 'stream':
      return streamText(event, session);
    case 'accepted':
      return acceptedText(event, session.sessionId);
    case 'final':
      return JSON.stringify(finalOf(event, session.sessionId));
    case 'session_end':
      return JSON.stringify({ type: 'session_end', data: event.data, ...placeOf(event) });
  }
}

/** Most frames are deltas: `data` goes out as the worker wrote it, unparsed. Throws when it is no object. */
function streamText(event: Of<'stream'>, { sessionId, agentId }: FrameSession): string {
  const { data, seq } = event;
  if (data !== '' && !(data.startsWith('{') && data.endsWith('}'))) {
    throw new Error('the data of a stream event is no object');
  }
  const fields = data.length > 2 ? `${data.slice(0, -1)},` : '{';
  const id = quoted(sessionId);
  const turn = `"message_id":${quoted(event.messageId)},"turn_id":${quoted(event.turnId)}`;
  return (
    `{"type":"${event.type}",` +
    `"data":${fields}"session_id":${id},${turn},"attempt":${numeral(event.attempt)}},` +
    `"event_id":"${eventId(event)}","timestamp":${numeral(event.atMs / 1_000)},` +
    `"source":${quoted(agentId)},"target":${id},"cursor":${seq},"seq":${seq}}`
  );
}

function replayText({ event, type, text }: BuiltEvent, { sessionId, agentId }: FrameSession) {
  const { seq } = event;
  return (
    `{"type":"replay","event":{"type":"${type}","data":${text},` +
    `"event_id":"${eventId(event)}","timestamp":${numeral(event.atMs / 1_000)},` +
    `"source":${quoted(agentId)},"target":${quoted(sessionId)},"sequence":${seq}},"seq":${seq}}`
  );
}

/** Texts that JSON writes as they stand; as a rule ids are. */
const PLAIN = /^[ !#-[\]-~]*$/;
const quoted = (text: string) => (PLAIN.test(text) ? `"${text}"` : JSON.stringify(text));
const numeral = (value: number) => (Number.isFinite(value) ? String(value) : 'null');

const placeOf = ({ seq }: LogEvent): Logged => ({ cursor: seq, seq });

/** The acknowledgement for the sender: without the message itself. */
export function acceptedOf(event: Of<'accepted'>, sessionId: string): AcceptedFrame & Logged {
  return { ...acceptedFrame(event, sessionId), ...placeOf(event) };
}

/** A body that is only a text goes out as its node wrote it, and is not parsed. */
function acceptedText(event: Of<'accepted'>, sessionId: string): string {
  const text = JSON.stringify(acceptedOf(event, sessionId));
  const { body, mode = 'enqueue' } = event;
  if (body === undefined) return text;
  const input =
    body.startsWith('"') && body.endsWith('"')
      ? `{"content":${body},"mode":"${mode}"}`
      : JSON.stringify(inputOf(body, mode));
  return `${text.slice(0, -1)},"input":${input}}`;
}

/** Throws when the body is damaged. */
function inputOf(body: string, mode: Mode) {
  const input = decodeInput(body);
  if (!input) throw new Error('what was sent is damaged');
  const { content, metadata, inReplyTo } = input;
  return {
    content,
    ...(metadata ? { metadata } : {}),
    mode,
    ...(inReplyTo === undefined ? {} : { in_reply_to: inReplyTo }),
  };
}

/** Throws when the usage of the event is no JSON. */
export function finalOf(event: Of<'final'>, sessionId: string): FinalFrame & Logged {
  return { ...finalFrame(event, sessionId), ...placeOf(event) };
}

function acceptedFrame(
  { messageId, position, isPaused }: { messageId: string; position: number; isPaused: boolean },
  sessionId: string,
): AcceptedFrame {
  return {
    type: 'response',
    status: 'accepted',
    content: position === 0 && !isPaused ? 'Started processing.' : 'Message queued.',
    session_id: sessionId,
    message_id: messageId,
    position,
  };
}

function finalFrame(event: Of<'final'>, sessionId: string): FinalFrame {
  const { status, reason } = event;
  return {
    type: 'response',
    status: 'final',
    content: event.content,
    outcome: { status, ...(reason === '' ? {} : { reason }) },
    session_id: sessionId,
    message_id: event.messageId,
    turn_id: event.turnId,
    attempt: event.attempt,
    ...(event.usage === '' ? {} : { usage: JSON.parse(event.usage) as Record<string, unknown> }),
    ...(event.mergedInto === '' ? {} : { merged_into: event.mergedInto }),
  };
}

/** The acknowledgement of a message that was accepted before: it is not in the log, and for its sender alone (S3). */
export function duplicateAccepted(
  messageId: string,
  { position, isPaused }: { readonly position: number; readonly isPaused: boolean },
  { sessionId, durability }: { sessionId: string; durability: Durability },
): AcceptedFrame {
  const frame = acceptedFrame({ messageId, position, isPaused }, sessionId);
  return { ...frame, durability, duplicate: true };
}

/** The outcome of a message that was sent again: without its place in the log. Throws as `finalOf` does. */
export function duplicateFinal(event: Of<'final'>, sessionId: string): FinalFrame {
  return { ...finalFrame(event, sessionId), duplicate: true };
}

function eventId(event: LogEvent): string {
  return `${event.epoch}:${event.seq}`;
}

/** `retryAfterMs` is rounded up to whole milliseconds. */
export function errorFrame(
  code: ErrorCode,
  message: string,
  more: {
    messageId?: string | undefined;
    field?: string | undefined;
    scope?: string | undefined;
    retryAfterMs?: number | undefined;
  } = {},
): ErrorFrame {
  return {
    type: 'error',
    code,
    message,
    retryable: isRetryable(code),
    ...(more.messageId === undefined ? {} : { message_id: more.messageId }),
    ...(more.field === undefined ? {} : { field: more.field }),
    ...(more.scope === undefined ? {} : { required_scope: more.scope }),
    ...(more.retryAfterMs === undefined ? {} : { retry_after_ms: Math.ceil(more.retryAfterMs) }),
  };
}
