import type { AbortAnswer, AbortFrame } from '@sluice/protocol';
import type { SessionRef } from '@sluice/store';
import type { EdgeContext } from './context.js';

/** Stops the message that the frame names, else the head of the inbox (T6). The answer names the message. */
export async function stopMessage(
  { inbox }: EdgeContext,
  ref: SessionRef,
  { reason, message_id: messageId, abort_id }: Omit<AbortFrame, 'type'>,
): Promise<AbortAnswer | 'not_found'> {
  const stopped = await inbox.abort(ref, { reason, messageId, callId: abort_id });
  if (stopped.kind === 'not_found') return 'not_found';
  const session = { session_id: ref.sessionId };
  const call = abort_id === undefined ? {} : { abort_id };
  const message = { message_id: stopped.messageId };
  switch (stopped.kind) {
    case 'aborting':
    case 'aborted':
      return { type: 'aborted', ...session, ...message, ...call };
    case 'ended':
    case 'unknown':
      return { type: 'no_active_turn', ...session, ...message, reason: stopped.kind, ...call };
    case 'idle':
      return { type: 'no_active_turn', ...session, ...call };
  }
}
