import {
  type ClientFrame,
  closes,
  decode,
  type ErrorCode,
  type HelloFrame,
  type JoinFrame,
} from '@sluice/protocol';
import { unreachable } from '@sluice/runtime';
import { StoreUnavailable, whyUnavailable } from '@sluice/store';
import { attach, replay } from './attach.js';
import { allows } from './authenticate.js';
import type { Attached, Connection } from './connection.js';
import type { EdgeContext } from './context.js';
import { detach } from './detach.js';
import { errorFrame } from './frames.js';
import { sendMessage } from './send-message.js';

/** Bad or unauthorized frames in a row after which a connection is closed (X4). */
const OFFENCES_MAX = 10;
/** Frames that may wait: for an attach, or for the ones before them. */
const WAITING_MAX = 1_000;

/** The text of one WebSocket message: decoded, then one switch over all client frames. */
export function onText(context: EdgeContext, connection: Connection, text: string): void {
  const decoded = decode(text);
  if (decoded.kind === 'refused') return onRefused(connection, decoded);
  onFrame(context, connection, decoded.frame);
}

type Refused = {
  readonly code: ErrorCode;
  readonly message: string;
  readonly field?: string;
  readonly messageId?: string;
};

/** Answers a frame that is none, or may not be; ten in a row close the connection. */
export function onRefused(connection: Connection, refused: Refused): void {
  const { field, messageId } = refused;
  connection.outbound.json(errorFrame(refused.code, refused.message, { field, messageId }));
  offend(connection);
}

function offend(connection: Connection): void {
  if (++connection.offences < OFFENCES_MAX) return;
  connection.outbound.close(closes.tooManyInvalidFrames.code, closes.tooManyInvalidFrames.reason);
}

function onFrame(context: EdgeContext, connection: Connection, frame: ClientFrame): void {
  const { state, outbound } = connection;
  if (state.kind === 'closed') return;
  if (frame.type === 'ping' || frame.type === 'pong') {
    connection.offences = 0;
    if (frame.type === 'ping') outbound.json({ type: 'pong' });
    return;
  }
  const messageId = frame.type === 'message' ? frame.message_id : undefined;
  if (state.kind === 'attaching') {
    if (state.waiting.length < WAITING_MAX) state.waiting.push(frame);
    else {
      const text = 'wait for hello_ok before sending so much';
      outbound.json(errorFrame('rate_limited', text, { messageId }));
    }
    return;
  }
  const scope =
    frame.type === 'hello' || frame.type === 'join' || frame.type === 'snapshot' ? 'read' : 'write';
  if (frame.type !== 'leave' && !allows(connection.socket.identity, scope)) {
    const text = `this needs the scope "${scope}"`;
    outbound.json(errorFrame('insufficient_scope', text, { scope, messageId }));
    return offend(connection);
  }
  connection.offences = 0;
  if (frame.type === 'hello' || frame.type === 'join') return enter(context, connection, frame);
  if (state.kind !== 'attached') {
    const ended = state.kind === 'ended';
    const why = ended ? 'the session was ended; say hello for a new one' : 'say hello first';
    outbound.json(errorFrame(ended ? 'session_ended' : 'not_joined', why, { messageId }));
    return;
  }
  onAttachedFrame(context, connection, { state, frame });
}

type AttachedFrame = Exclude<ClientFrame, HelloFrame | JoinFrame | { type: 'ping' | 'pong' }>;

function onAttachedFrame(
  context: EdgeContext,
  connection: Connection,
  { state, frame }: { state: Attached; frame: AttachedFrame },
): void {
  const { outbound } = connection;
  const session_id = state.ref.sessionId;
  switch (frame.type) {
    case 'message':
      return inOrder(
        connection,
        () => sendMessage(context, connection, { state, frame }),
        frame.message_id,
      );
    case 'abort':
      return inOrder(connection, async () => {
        const word = await context.inbox.abort(state.ref, frame.reason);
        outbound.json({ type: word === 'aborting' ? 'aborted' : 'no_active_turn', session_id });
      });
    case 'cancel':
      return inOrder(connection, () =>
        cancelMessage(context, connection, { state, messageId: frame.message_id }),
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

/** Attaches; frames that came meanwhile are handled afterwards, in order. */
function enter(context: EdgeContext, connection: Connection, frame: HelloFrame | JoinFrame): void {
  const waiting: ClientFrame[] = [];
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
    if (attached) answer(connection, replay(attached, attached.reply));
    for (const next of waiting) onFrame(context, connection, next);
  });
  connection.state = { kind: 'attaching', waiting };
  answer(connection, entering);
}

/**
 * One call after the other, in the order of the frames: a call whose script must be loaded, or whose
 * reply was lost, is sent again, and would else be overtaken by the next (T1).
 */
function inOrder(connection: Connection, call: () => Promise<unknown>, messageId?: string): void {
  const { calls } = connection;
  if (calls.waiting >= WAITING_MAX) {
    const text = `${WAITING_MAX} frames of this connection wait already; wait for their answers`;
    connection.outbound.json(errorFrame('rate_limited', text, { messageId }));
    return;
  }
  const called = calls.waiting === 0 ? call() : calls.last.then(call);
  calls.waiting++;
  calls.last = called.then(
    () => void calls.waiting--,
    () => void calls.waiting--,
  );
  answer(connection, called, messageId);
}

/** What fails for lack of Redis is told to the client; anything else is a bug of ours. */
function answer(connection: Connection, work: Promise<unknown>, messageId?: string): void {
  work.catch((error) => {
    if (connection.state.kind === 'attaching') connection.state = { kind: 'idle' };
    const away = error instanceof StoreUnavailable;
    const text = away ? `${whyUnavailable(error)}; send it again with the same message_id` : '';
    connection.outbound.json(
      errorFrame(away ? 'unavailable' : 'internal', away ? text : 'internal error', { messageId }),
    );
    if (!away) connection.onBug(error);
  });
}
