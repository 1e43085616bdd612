import type { FinalFrame } from '@sluice/protocol';
import type { Appended } from '@sluice/store';
import { duplicateFinal } from '../delivery/frames.js';

const NO_LONGER_KEPT = 'no_longer_kept';

/**
 * The outcome of a message that was sent before, for its sender alone (S3). If neither the log nor the history has it
 * any more, the content is '' and the outcome `ok`. undefined: the message has no outcome yet.
 */
export function duplicateOutcome(
  { outcome }: Appended & { kind: 'duplicate' },
  messageId: string,
  sessionId: string,
): FinalFrame | undefined {
  if (outcome === 'waiting') return undefined;
  if (outcome !== 'not_kept') return duplicateFinal(outcome, sessionId);
  return {
    type: 'response',
    status: 'final',
    content: '',
    outcome: { status: 'ok', reason: NO_LONGER_KEPT },
    session_id: sessionId,
    message_id: messageId,
    turn_id: '',
    attempt: 0,
    duplicate: true,
    reason: NO_LONGER_KEPT,
  };
}
