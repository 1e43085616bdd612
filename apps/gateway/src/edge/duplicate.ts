import type { FinalFrame } from '@sluice/protocol';
import type { Appended, SessionRef } from '@sluice/store';
import type { EdgeContext } from './context.js';
import { duplicateFinal } from './frames.js';

/**
 * The outcome of a message that was sent before, for its sender alone: from the log, else from the
 * history, else without content (S3). undefined: there is none yet.
 */
export async function duplicateOutcome(
  context: EdgeContext,
  ref: SessionRef,
  { messageId, appended }: { messageId: string; appended: Appended & { kind: 'duplicate' } },
): Promise<FinalFrame | undefined> {
  if (appended.waiting) return undefined;
  const { event } = appended;
  if (event?.kind === 'final') return duplicateFinal(event, ref.sessionId);
  const view = await context.sessions.read(ref, context.limits.maxMessages);
  const kept = view?.state.messages.find(
    (message) => message.role === 'assistant' && message.message_id === messageId,
  );
  return {
    type: 'response',
    status: 'final',
    content: typeof kept?.content === 'string' ? kept.content : '',
    outcome: kept?.outcome ?? { status: 'ok' },
    session_id: ref.sessionId,
    message_id: messageId,
    turn_id: kept?.turn_id ?? '',
    attempt: 0,
    duplicate: true,
    ...(kept ? {} : { reason: 'no_longer_kept' }),
  };
}
