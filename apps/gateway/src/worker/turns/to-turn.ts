import type { Turn } from '@sluice/agents';
import type { Content, HistoryMessage } from '@sluice/protocol';
import { type HeadReply, type InboxEntry, sessionKeyId } from '@sluice/store';

/** The turn of the started head, as the agent sees it. The messages of a `collect` batch become one content. */
export function toTurn(
  head: HeadReply,
  entries: readonly InboxEntry[],
  history: readonly HistoryMessage[],
): Turn {
  const last = entries.at(-1);
  const messageId = last?.messageId ?? '';
  return {
    session_id: head.sessionId,
    principal: head.principal,
    message_id: messageId,
    turn_id: head.turnId,
    content: joined(entries.map((entry) => entry.content)),
    metadata: last?.metadata ?? {},
    attempt: head.attempt,
    fence: head.fence,
    idempotency_key: `${sessionKeyId(head.principal, head.sessionId)}:${messageId}`,
    history,
  };
}

function joined(contents: readonly Content[]): Content {
  const [only] = contents;
  if (contents.length === 1 && only !== undefined) return only;
  return contents.map((c) => (typeof c === 'string' ? c : JSON.stringify(c))).join('\n\n');
}
