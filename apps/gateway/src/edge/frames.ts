import type {
  AcceptedFrame,
  Durability,
  ErrorCode,
  ErrorFrame,
  FinalFrame,
  Logged,
  LoggedFrame,
  ReplayFrame,
} from '@sluice/protocol';
import { isRetryable } from '@sluice/protocol';
import type { LogEvent, LoggedEvent } from '@sluice/store';

/** The session that frames speak of. */
export type FrameSession = { readonly sessionId: string; readonly agentId: string };

/** An event as it goes on the wire: built once per node, for all its connections. */
export type BuiltEvent = {
  readonly event: LogEvent;
  readonly frame: LoggedFrame & Logged;
  /** `frame` as JSON. */
  readonly text: string;
};

export function buildEvent(event: LogEvent, session: FrameSession): BuiltEvent {
  const frame = { ...unlogged(event, session), cursor: event.seq, seq: event.seq };
  return { event, frame, text: JSON.stringify(frame) };
}

/** undefined: a part of it cannot be read; whoever follows the log steps over it. */
export function buildReadable(event: LoggedEvent, session: FrameSession): BuiltEvent | undefined {
  if (event.kind === 'opaque') return undefined;
  try {
    return buildEvent(event, session);
  } catch {
    return undefined; // what an agent sent with it is no JSON
  }
}

function unlogged(event: LogEvent, session: FrameSession): LoggedFrame {
  const { sessionId: session_id, agentId } = session;
  switch (event.kind) {
    case 'accepted':
      return acceptedFrame(event, session_id);
    case 'final':
      return finalFrame(event, session_id);
    case 'stream':
      return {
        type: event.type,
        data: {
          ...(event.data === '' ? {} : (JSON.parse(event.data) as Record<string, unknown>)),
          session_id,
          message_id: event.messageId,
          turn_id: event.turnId,
          attempt: event.attempt,
        },
        event_id: eventId(event),
        timestamp: event.atMs / 1_000,
        source: agentId,
        target: session_id,
      };
    case 'session_end':
      return { type: 'session_end', data: event.data };
  }
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

function finalFrame(event: LogEvent & { kind: 'final' }, sessionId: string): FinalFrame {
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

/** The acknowledgement of a message that was accepted before: not logged, to its sender alone (S3). */
export function duplicateAccepted(
  messageId: string,
  { position, isPaused }: { readonly position: number; readonly isPaused: boolean },
  { sessionId, durability }: { sessionId: string; durability: Durability },
): AcceptedFrame {
  const frame = acceptedFrame({ messageId, position, isPaused }, sessionId);
  return { ...frame, durability, duplicate: true };
}

export function duplicateFinal(event: LogEvent & { kind: 'final' }, sessionId: string): FinalFrame {
  return { ...finalFrame(event, sessionId), duplicate: true };
}

/** A logged event wrapped for a replay. */
export function replayFrame({ event, frame }: BuiltEvent, session: FrameSession): ReplayFrame {
  return {
    type: 'replay',
    event: {
      type: frame.type,
      data: frame,
      event_id: eventId(event),
      timestamp: event.atMs / 1_000,
      source: session.agentId,
      target: session.sessionId,
      sequence: event.seq,
    },
    seq: event.seq,
  };
}

function eventId(event: LogEvent): string {
  return `${event.epoch}:${event.seq}`;
}

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
