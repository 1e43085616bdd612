import {
  type ClientFrame,
  closes,
  decode,
  type ErrorCode,
  type HelloFrame,
  type JoinFrame,
  type MessageFrame,
} from '@sluice/protocol';
import { monotonicMs, unreachable } from '@sluice/runtime';
import type { Scope } from '../../config/config-types.js';
import { allows } from '../access/authenticate.js';
import { errorFrame } from '../delivery/frames.js';
import { costs } from '../limits/costs.js';
import type { EdgeContext } from '../session/context.js';
import { abortOnSocket } from './abort.js';
import { attach, replay } from './attach.js';
import type { Attached, Connection, ReadFrame } from './connection.js';
import { detach } from './detach.js';
import { answer, inOrder, mayWait, owesAnswers, settled } from './in-order.js';
import { paid } from './paid-calls.js';
import { sendMessage } from './send-message.js';

/** Bad or unauthorized frames in a row after which a connection is closed (X4). */
const OFFENCES_MAX = 10;
/** Frames that wait until all earlier ones are answered: they change the binding, or ask how the session stands. */
const waitingTypes: ReadonlySet<string> = new Set(['hello', 'join', 'leave', 'snapshot']);

/** Decodes the text of one WebSocket message, and handles the frame. */
export function onText(context: EdgeContext, connection: Connection, text: string): void {
  const decoded = decode(text);
  if (decoded.kind === 'refused') return onRefused(context, connection, decoded);
  onFrame(context, connection, { frame: decoded.frame, chars: text.length });
}

type Refused = {
  readonly code: ErrorCode;
  readonly message: string;
  readonly field?: string;
  readonly messageId?: string;
};

/**
 * Answers a frame that cannot be read, or is one too many (`rate_limited`). One that cannot be read counts as a
 * message, since its type is unknown; OFFENCES_MAX in a row close the connection.
 */
export function onRefused(
  { metrics, tellLimited }: EdgeContext,
  connection: Connection,
  refused: Refused,
): void {
  const { code, field, messageId } = refused;
  const answer = errorFrame(code, refused.message, { field, messageId });
  if (code === 'rate_limited') {
    metrics.rateLimited('frames');
    tellLimited('frames', connection.socket.identity.principal);
    return void connection.outbound.json(answer);
  }
  metrics.message(code);
  connection.outbound.json(answer);
  offend(connection);
}

function offend(connection: Connection): void {
  if (++connection.offences < OFFENCES_MAX) return;
  connection.outbound.close(closes.tooManyInvalidFrames.code, closes.tooManyInvalidFrames.reason);
}

function onFrame(context: EdgeContext, connection: Connection, read: ReadFrame): void {
  const { state, outbound } = connection;
  const { frame } = read;
  if (state.kind === 'closed') return;
  if (frame.type === 'ping' || frame.type === 'pong') {
    connection.offences = 0;
    if (frame.type === 'ping') outbound.json({ type: 'pong' });
    return;
  }
  const isMessage = frame.type === 'message';
  const messageId = idOf(frame);
  const refuse = (code: ErrorCode, text: string, scope?: Scope) => {
    if (isMessage) context.metrics.message(code);
    outbound.json(errorFrame(code, text, { scope, messageId }));
  };
  const line = state.kind === 'attaching' ? state : connection.settling;
  if (line !== undefined) {
    if (!mayWait(connection, { frames: line.waiting.length, chars: line.chars }, read.chars)) {
      return refuse('rate_limited', 'too many frames wait; wait for the answers to earlier ones');
    }
    line.waiting.push(read);
    line.chars += read.chars;
    return;
  }
  if (waitingTypes.has(frame.type) && owesAnswers(connection))
    return settle(context, connection, read);
  const scope =
    frame.type === 'hello' || frame.type === 'join' || frame.type === 'snapshot' ? 'read' : 'write';
  if (frame.type !== 'leave' && !allows(connection.socket.identity, scope)) {
    refuse('insufficient_scope', `this needs the scope "${scope}"`, scope);
    return offend(connection);
  }
  connection.offences = 0;
  if (frame.type === 'hello' || frame.type === 'join') return enter(context, connection, frame);
  if (state.kind !== 'attached') {
    const ended = state.kind === 'ended';
    const why = ended ? 'the session was ended; say hello for a new one' : 'say hello first';
    return refuse(ended ? 'session_ended' : 'not_joined', why);
  }
  onAttachedFrame(context, connection, { state, frame, chars: read.chars });
}

/** The `message_id` of an error about this frame: the id of an abort itself, else of the message. */
function idOf(frame: ClientFrame): string | undefined {
  if (frame.type === 'abort') return frame.abort_id ?? frame.message_id;
  return frame.type === 'message' || frame.type === 'cancel' ? frame.message_id : undefined;
}

/** Handles a frame, and those that come meanwhile, after the answers to all earlier frames. */
function settle(context: EdgeContext, connection: Connection, read: ReadFrame): void {
  const waiting = [read];
  connection.settling = { waiting, chars: read.chars };
  const settling = settled(connection).then(() => {
    connection.settling = undefined;
    for (const next of waiting) onFrame(context, connection, next);
  });
  answer(connection, settling);
}

type AttachedFrame = Exclude<ClientFrame, HelloFrame | JoinFrame | { type: 'ping' | 'pong' }>;

function onAttachedFrame(
  context: EdgeContext,
  connection: Connection,
  { state, frame, chars }: { state: Attached; frame: AttachedFrame; chars: number },
): void {
  const { outbound } = connection;
  const session_id = state.ref.sessionId;
  switch (frame.type) {
    case 'message':
      return onMessage(context, connection, { state, frame, chars });
    case 'abort': {
      const about = { messageId: idOf(frame), cost: costs.call };
      const abort = () => abortOnSocket(context, connection, { state, frame });
      return inOrder(connection, paid(context, connection, about, abort), about);
    }
    case 'cancel': {
      const messageId = frame.message_id;
      const cancel = () => cancelMessage(context, connection, { state, messageId });
      const about = { messageId, cost: costs.call };
      return inOrder(connection, paid(context, connection, about, cancel), about);
    }
    case 'snapshot':
      return inOrder(
        connection,
        paid(context, connection, { cost: costs.read }, () => state.feed.snapshot(state.reader)),
      );
    case 'leave':
      detach(context, connection);
      return void outbound.json({ type: 'left', session_id });
    default:
      return unreachable(frame);
  }
}

function onMessage(
  context: EdgeContext,
  connection: Connection,
  { state, frame, chars }: { state: Attached; frame: MessageFrame; chars: number },
): void {
  const readMs = monotonicMs();
  inOrder(connection, () => sendMessage(context, connection, { state, frame, readMs }), {
    messageId: frame.message_id,
    chars,
    onError: context.metrics.message,
  });
}

/** The outcome may be heard before the reply to the call, but is sent after `cancelled`. */
async function cancelMessage(
  context: EdgeContext,
  { outbound }: Connection,
  { state, messageId }: { state: Attached; messageId: string },
): Promise<void> {
  const { ref, reader } = state;
  reader.holdOutcome(messageId);
  try {
    const word = await context.inbox.cancel(ref, messageId);
    const about = { session_id: ref.sessionId, message_id: messageId };
    if (word === 'cancelled') outbound.json({ type: 'cancelled', ...about });
    else
      outbound.json(
        errorFrame(
          'not_pending',
          'this message is not waiting: it has started, ended or never existed',
          { messageId },
        ),
      );
  } finally {
    reader.handOutcome(messageId);
  }
}

/** Attaches; frames that came meanwhile are handled afterwards, in order. */
function enter(context: EdgeContext, connection: Connection, frame: HelloFrame | JoinFrame): void {
  connection.socket.saidHello();
  const waiting: ReadFrame[] = [];
  const entering = attach(context, connection, frame).then((attached) => {
    if (connection.state.kind === 'closed') {
      if (attached) {
        connection.state = attached;
        detach(context, connection);
        connection.state = { kind: 'closed' };
      }
      return;
    }
    connection.state = attached ?? { kind: 'idle' };
    if (attached) {
      connection.hasEntered = true;
      answer(connection, replay(context, connection, attached));
    }
    for (const next of waiting) onFrame(context, connection, next);
  });
  connection.state = { kind: 'attaching', waiting, chars: 0 };
  answer(connection, entering);
}
