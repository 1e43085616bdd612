import type { MessageFrame } from '@sluice/protocol';
import { makeId, monotonicMs } from '@sluice/runtime';
import type { Appended } from '@sluice/store';
import type { Attached, Connection } from './connection.js';
import type { EdgeContext } from './context.js';
import { duplicateOutcome } from './duplicate.js';
import { duplicateAccepted, errorFrame } from './frames.js';

type Sending = {
  readonly state: Attached;
  readonly frame: Omit<MessageFrame, 'type'>;
  /** When the frame was read. */
  readonly readMs: number;
};

export const TOO_MANY_MESSAGES = 'too many messages (gateway.rate_limit.messages_per_second)';

const PAUSED = 'Paused by an operator... (your message is kept, and processed afterwards).';

/** Stores a message in the inbox; its acceptance then takes its place among the session's events. */
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
  const span = context.tracing.accept({
    agent: state.session.agentId,
    sessionId: ref.sessionId,
    messageId,
    parent: frame.traceparent ?? socket.traceparent,
  });
  // Before the call: its published copy may come in before its reply.
  const isFirst = reader.expect(messageId);
  let appended: Appended;
  try {
    appended = await context.inbox.append(ref, {
      messageId,
      content: frame.content,
      mode: frame.mode ?? context.limits.onBusy,
      metadata: frame.metadata,
      inReplyTo: frame.in_reply_to,
      traceparent: span.traceparent,
    });
    span.end(appended.kind);
  } catch (error) {
    span.end('unavailable', 'the message was not stored');
    if (isFirst) reader.settle(messageId, undefined);
    throw error;
  }
  if (appended.kind === 'accepted') {
    metrics.message('accepted');
    feed.offer(appended.event);
    if (appended.event.isPaused) reader.tell(PAUSED);
    if (durability.level === 'memory') return metrics.ackMs(monotonicMs() - readMs);
    // Not waited for here: the next message of this connection may be stored meanwhile.
    void durability.reached().then((level) => {
      reader.settle(messageId, level);
      metrics.ackMs(monotonicMs() - readMs);
    });
    return;
  }
  if (isFirst) reader.settle(messageId, undefined);
  if (appended.kind === 'duplicate') {
    metrics.message('duplicate');
    const names = { sessionId: ref.sessionId, durability: await durability.reached() };
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

/** Why a message was not stored, for the client. */
export function refusalOf(appended: Exclude<Appended, { kind: 'accepted' | 'duplicate' }>): {
  code: 'session_ended' | 'busy' | 'inbox_full';
  text: string;
} {
  switch (appended.kind) {
    case 'gone':
    case 'ended':
      return { code: 'session_ended', text: 'the session was ended; say hello for a new one' };
    case 'busy':
      return { code: 'busy', text: 'a turn is running, and the mode is reject' };
    case 'full':
      return appended.limit === 'max_bytes_per_principal'
        ? {
            code: 'inbox_full',
            text: 'your sessions hold as much as they may (session.max_bytes_per_principal); end one',
          }
        : {
            code: 'inbox_full',
            text: `the inbox is full (session.${appended.limit}); wait for replies`,
          };
  }
}
