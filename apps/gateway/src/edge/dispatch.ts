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
import { StoreUnavailable, whyUnavailable } from '@sluice/store';
import type { Scope } from '../config-types.js';
import { attach, replay } from './attach.js';
import { allows } from './authenticate.js';
import type { Attached, Connection, ReadFrame } from './connection.js';
import type { EdgeContext } from './context.js';
import { detach } from './detach.js';
import { errorFrame } from './frames.js';
import { sendMessage } from './send-message.js';

/** Bad or unauthorized frames in a row after which a connection is closed (X4). */
const OFFENCES_MAX = 10;
/** Frames of one connection that may wait, for an attach or for the ones before them. */
const WAITING_MAX = 1_000;
/** The text of one WebSocket message: decoded, then one switch over all client frames. */
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
 * Answers a frame that is none, or may not be; ten in a row close the connection. What it was meant to be
 * is not known, so that it counts as a message.
 */
export function onRefused(
  { metrics }: EdgeContext,
  connection: Connection,
  refused: Refused,
): void {
  const { field, messageId } = refused;
  metrics.message(refused.code);
  connection.outbound.json(errorFrame(refused.code, refused.message, { field, messageId }));
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
  const messageId = isMessage || frame.type === 'cancel' ? frame.message_id : undefined;
  const refuse = (code: ErrorCode, text: string, scope?: Scope) => {
    if (isMessage) context.metrics.message(code);
    outbound.json(errorFrame(code, text, { scope, messageId }));
  };
  if (state.kind === 'attaching') {
    if (!mayWait(connection, { frames: state.waiting.length, chars: state.chars }, read.chars)) {
      return refuse('rate_limited', 'wait for hello_ok before sending so much');
    }
    state.waiting.push(read);
    state.chars += read.chars;
    return;
  }
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
    case 'abort':
      return inOrder(connection, async () => {
        const word = await context.inbox.abort(state.ref, frame.reason);
        outbound.json({ type: word === 'aborting' ? 'aborted' : 'no_active_turn', session_id });
      });
    case 'cancel':
      return inOrder(
        connection,
        () => cancelMessage(context, connection, { state, messageId: frame.message_id }),
        { messageId: frame.message_id },
      );
    case 'snapshot':
      return answer(connection, state.feed.snapshot(state.reader));
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

/** Its outcome may be heard before the reply to the call, and must come behind `cancelled`. */
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
    else outbound.json(errorFrame('not_pending', 'no such message waits', { messageId }));
  } finally {
    reader.handOutcome(messageId);
  }
}

/** Whether a frame may wait behind others; one that is alone always may. */
function mayWait(
  { waitingCharsMax }: Connection,
  { frames, chars }: { frames: number; chars: number },
  more: number,
): boolean {
  return frames === 0 || (frames < WAITING_MAX && chars + more <= waitingCharsMax);
}

/** Attaches; frames that came meanwhile are handled afterwards, in order. */
function enter(context: EdgeContext, connection: Connection, frame: HelloFrame | JoinFrame): void {
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
    if (attached) answer(connection, replay(context, attached, attached.reply));
    for (const next of waiting) onFrame(context, connection, next);
  });
  connection.state = { kind: 'attaching', waiting, chars: 0 };
  answer(connection, entering);
}

/** What a call is made for: the message that it stores, and who is told when it cannot be made. */
type About = {
  readonly messageId?: string | undefined;
  /** Of the frame, where it may be a long one. */
  readonly chars?: number;
  onError?(code: ErrorCode): void;
};

/**
 * One call after the other, in the order of the frames: a call whose script must be loaded, or whose
 * reply was lost, is sent again, and would else be overtaken by the next (T1).
 */
function inOrder(connection: Connection, call: () => Promise<unknown>, about: About = {}): void {
  const { calls } = connection;
  const { chars = 0 } = about;
  if (!mayWait(connection, { frames: calls.waiting, chars: calls.chars }, chars)) {
    const text = `${calls.waiting} frames of this connection wait already; wait for their answers`;
    about.onError?.('rate_limited');
    connection.outbound.json(errorFrame('rate_limited', text, about));
    return;
  }
  const called = calls.waiting === 0 ? call() : calls.last.then(call);
  calls.waiting++;
  calls.chars += chars;
  const done = () => {
    calls.waiting--;
    calls.chars -= chars;
  };
  calls.last = called.then(done, done);
  answer(connection, called, about);
}

/** What fails for lack of Redis is told to the client; anything else is a bug of ours. */
function answer(connection: Connection, work: Promise<unknown>, about: About = {}): void {
  work.catch((error) => {
    if (connection.state.kind === 'attaching') connection.state = { kind: 'idle' };
    const away = error instanceof StoreUnavailable;
    const text = away ? `${whyUnavailable(error)}; send it again with the same message_id` : '';
    const code = away ? 'unavailable' : 'internal';
    about.onError?.(code);
    connection.outbound.json(errorFrame(code, away ? text : 'internal error', about));
    if (!away) connection.onBug(error);
  });
}
