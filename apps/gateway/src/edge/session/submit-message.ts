import type { MessageFrame } from '@sluice/protocol';
import type { Appended, SessionRef } from '@sluice/store';
import type { EdgeContext } from './context.js';

type Submitted = {
  readonly ref: SessionRef;
  readonly agentId: string;
  readonly messageId: string;
  readonly message: Omit<MessageFrame, 'type'>;
  /** The client's `traceparent`; '' for none. */
  readonly traceparent: string;
};

/**
 * Stores a message in the inbox of its session, whichever door it came through. Throws StoreUnavailable when it is not
 * known whether it was stored: the client sends it again with the same id.
 */
export async function submitMessage(
  { inbox, tracing, limits }: Pick<EdgeContext, 'inbox' | 'tracing' | 'limits'>,
  { ref, agentId, messageId, message, traceparent }: Submitted,
): Promise<Appended> {
  const { sessionId } = ref;
  const span = tracing.accept({ agent: agentId, sessionId, messageId, parent: traceparent });
  try {
    const appended = await inbox.append(ref, {
      messageId,
      content: message.content,
      mode: message.mode ?? limits.onBusy,
      metadata: message.metadata,
      inReplyTo: message.in_reply_to,
      traceparent: span.traceparent,
    });
    span.end(appended.kind);
    return appended;
  } catch (error) {
    span.end('unavailable', 'the message was not stored');
    throw error;
  }
}

/** Tells the client why a message was not stored. */
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
