import type { AppendReply } from '../script/scripts-inbox.js';
import { decodeRecords, type LogEvent } from './event-log.js';
import { decodeOutcome } from './history-line.js';

/** What is known of a message that was accepted before. */
export type EarlierMessage = {
  /** The position that was acknowledged; 0 when it is no longer kept. */
  readonly position: number;
  /** It was accepted while its session or agent was paused; also false when the log no longer has its acceptance. */
  readonly isPaused: boolean;
  /** `waiting`: it has none yet. `not_kept`: neither the log nor the newest part of the history has it any more. */
  readonly outcome: 'waiting' | 'not_kept' | (LogEvent & { readonly kind: 'final' });
};

/** From the event that the log has of the message, else from what the script found beside the log (S3). */
export function earlierMessageOf(
  found: AppendReply & { kind: 'duplicate' },
  messageId: string,
): EarlierMessage {
  const [event] = decodeRecords(found.event);
  if (event) {
    const position = 'position' in event ? event.position : 0;
    const isPaused = event.kind === 'accepted' && event.isPaused;
    return { position, isPaused, outcome: event.kind === 'final' ? event : 'waiting' };
  }
  const { position } = found;
  if (found.isWaiting) return { position, isPaused: false, outcome: 'waiting' };
  if (found.reply === '') return { position: 0, isPaused: false, outcome: 'not_kept' };
  return { position, isPaused: false, outcome: toFinal(found.reply, messageId, position) };
}

function toFinal(line: string, messageId: string, position: number): EarlierMessage['outcome'] {
  const reply = decodeOutcome(line);
  if (reply.messageId === messageId) return { ...reply, position };
  return {
    ...{ ...reply, messageId, position, content: '', usage: '' },
    mergedInto: reply.messageId,
  };
}
