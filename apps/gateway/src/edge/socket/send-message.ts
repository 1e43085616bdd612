import type { MessageFrame } from '@sluice/protocol';
import { makeId, monotonicMs } from '@sluice/runtime';
import { duplicateAccepted, errorFrame } from '../delivery/frames.js';
import { TOO_MANY_MESSAGES } from '../limits/rates.js';
import type { EdgeContext } from '../session/context.js';
import { duplicateOutcome } from '../session/duplicate.js';
import { refusalOf, submitMessage } from '../session/submit-message.js';
import type { Attached, Connection } from './connection.js';

type Sending = {
  readonly state: Attached;
  readonly frame: Omit<MessageFrame, 'type'>;
  /** When the frame was read. */
  readonly readMs: number;
};

const PAUSED = 'Paused by an operator... (your message is kept, and processed afterwards).';

/** Stores a message in the inbox. Its acceptance is an event of the session, and is sent in the order of events. */
export async function sendMessage(
  context: EdgeContext,
  { outbound, socket }: Connection,
  { state, frame, readMs }: Sending,
): Promise<void> {
  const { ref, reader, feed } = state;
  const { durability, metrics } = context;
  const messageId = frame.message_id ?? makeId('msg');
  const admitted = await context.rates.message(socket.identity.principal);
  if (admitted.kind === 'refused') {
    metrics.message('rate_limited');
    const { retryAfterMs } = admitted;
    const text = `${TOO_MANY_MESSAGES}; try again in ${Math.ceil(retryAfterMs)} ms`;
    return void outbound.json(errorFrame('rate_limited', text, { messageId, retryAfterMs }));
  }
  // Before the call: the published event may come in before the reply.
  const isFirst = reader.expect(messageId);
  const appended = await submitMessage(context, {
    ...{ ref, agentId: state.session.agentId, messageId, message: frame },
    traceparent: frame.traceparent ?? socket.traceparent,
  }).catch((error) => {
    if (isFirst) reader.settle(messageId, undefined);
    throw error;
  });
  if (appended.kind === 'accepted') {
    metrics.message('accepted');
    feed.offer(appended.event);
    if (appended.event.isPaused) reader.tell(PAUSED);
    if (durability.level === 'memory') return metrics.ackMs(monotonicMs() - readMs);
    // Not awaited: the next message of this connection may be stored meanwhile.
    void durability.reached(ref).then((level) => {
      reader.settle(messageId, level);
      metrics.ackMs(monotonicMs() - readMs);
    });
    return;
  }
  if (isFirst) reader.settle(messageId, undefined);
  if (appended.kind === 'duplicate') {
    metrics.message('duplicate');
    const names = { sessionId: ref.sessionId, durability: await durability.reached(ref) };
    metrics.ackMs(monotonicMs() - readMs);
    outbound.json(duplicateAccepted(messageId, appended, names));
    const outcome = duplicateOutcome(appended, messageId, ref.sessionId);
    if (outcome) {
      context.rates.messageRead(socket.identity.principal, outcome.content.length);
      outbound.json(outcome);
    }
    return;
  }
  const { code, text } = refusalOf(appended);
  metrics.message(code);
  if (appended.kind === 'gone') return outbound.close(1012, 'service_restart');
  outbound.json(errorFrame(code, text, { messageId }));
}
