import type { Connection } from './connect.js';
import { decodeEntry, decodeOutcome } from './entry.js';
import type { LogEvent } from './event-log.js';
import type { Keys } from './keys.js';

/** What is known of a message that was accepted before. */
export type Kept = {
  /** As it was acknowledged; 0 when that is no longer kept. */
  readonly position: number;
  /** It was acknowledged while no turn could begin, as far as the log still tells. */
  readonly isPaused: boolean;
  /** `waiting`: it has none yet. `not_kept`: it had one that neither log nor history holds now. */
  readonly outcome: 'waiting' | 'not_kept' | (LogEvent & { readonly kind: 'final' });
};

/** From the event that the log has of it: its outcome, else its acceptance. */
export function keptInLog(event: LogEvent): Kept {
  const position = 'position' in event ? event.position : 0;
  const isPaused = event.kind === 'accepted' && event.isPaused;
  return { position, isPaused, outcome: event.kind === 'final' ? event : 'waiting' };
}

/** Looks into inbox and history for a message whose events were trimmed from the log (S3). */
export async function readKept(
  connection: Connection,
  keys: Keys,
  { id, messageId }: { id: string; messageId: string },
): Promise<Kept> {
  const { inbox, messages } = keys.session(id);
  const replies = await connection.ask(
    (client) => client.multi().lrange(inbox, 0, -1).lrange(messages, 0, -1).exec(),
    'kept-read',
  );
  const [waiting, history] = (replies ?? []).map(([, lines]) => lines as string[]);
  const entry = waiting?.find((line) => line.startsWith(`${messageId} `));
  if (entry !== undefined) {
    return { position: decodeEntry(entry).position, isPaused: false, outcome: 'waiting' };
  }
  return keptInHistory(history ?? [], messageId);
}

/** A turn stands in the history as its messages (`u`) and then the reply to the last of them (`a`). */
function keptInHistory(history: readonly string[], messageId: string): Kept {
  const at = history.findIndex((line) => line.startsWith(`u ${messageId} `));
  const line = history[at];
  const end = history.slice(at + 1).find((next) => next.startsWith('a '));
  if (line === undefined || end === undefined) {
    const alone = history.find((next) => next.startsWith(`a ${messageId} `));
    return {
      position: 0,
      isPaused: false,
      outcome: alone ? toFinal(alone, messageId, 0) : 'not_kept',
    };
  }
  const { position } = decodeEntry(line.slice(2));
  return { position, isPaused: false, outcome: toFinal(end, messageId, position) };
}

function toFinal(line: string, messageId: string, position: number): Kept['outcome'] {
  const reply = decodeOutcome(line);
  const isLast = reply.messageId === messageId;
  return {
    kind: 'final',
    seq: 0,
    epoch: '',
    atMs: reply.atMs,
    messageId,
    position,
    turnId: reply.turnId,
    attempt: reply.attempt,
    status: reply.status,
    reason: reply.reason,
    content: isLast ? reply.content : '',
    usage: isLast ? reply.usage : '',
    mergedInto: isLast ? '' : reply.messageId,
  };
}
