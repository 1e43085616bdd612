import type { SessionState } from '@sluice/protocol';
import type { SessionView } from '@sluice/store';

const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value));

/** How many items, from the first on, fit `room` bytes as JSON, each with a comma. */
function countThatFits(items: readonly unknown[], room: number): { count: number; bytes: number } {
  let bytes = 0;
  let count = 0;
  for (const item of items) {
    const more = bytesOf(item) + 1;
    if (bytes + more > room) break;
    bytes += more;
    count++;
  }
  return { count, bytes };
}

/**
 * The persisted shape of a session, cut so that its frame fits `maxBytes` (B1). Pending messages go in first, from the
 * head of the inbox on, and then the newest messages of the history.
 */
export function fitSnapshot(
  { state, older }: Pick<SessionView, 'state' | 'older'>,
  maxBytes: number,
): SessionState {
  const { events: _, ...read } = state;
  const rest = older === undefined ? read : { ...read, truncated: true as const };
  const none = { messages: [], pending_inbox: [], pending_message_ids: [] };
  const bare = { ...rest, ...none, truncated: true as const };
  const room = maxBytes - bytesOf({ type: 'snapshot', state: bare });
  const { pending_inbox, pending_message_ids: ids, messages } = rest;
  const waiting = pending_inbox.map((content, at) => [content, ids[at]]);
  const pending = countThatFits(waiting, room);
  const isWhole = pending.count === pending_inbox.length;
  const newest = isWhole ? countThatFits([...messages].reverse(), room - pending.bytes).count : 0;
  if (isWhole && newest === messages.length) return rest;
  return {
    ...bare,
    pending_inbox: pending_inbox.slice(0, pending.count),
    pending_message_ids: ids.slice(0, pending.count),
    messages: messages.slice(messages.length - newest),
  };
}
