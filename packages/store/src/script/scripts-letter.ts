import { defineScript } from './script.js';
import { type AcceptedReply, accepted, type FullReply, unexpected } from './script-replies.js';

export type RetryReply =
  /** `gone`: the session has expired or was ended, or a new one under its id belongs to another agent. */
  | { readonly kind: 'not_found' | 'gone' }
  | FullReply
  | (AcceptedReply & { readonly messageId: string });

export const letterRetry = defineScript('letter-retry', {
  keys: [
    'state',
    'inbox',
    'events',
    'messages',
    'seen',
    'lease',
    'pending',
    'paused_agents',
    'letters',
    'dead',
    'dead_owned',
    'letter_call',
  ],
  args: [
    'server',
    'channel',
    'node_channel',
    'id',
    'message_id',
    'max_inbox',
    'max_inbox_bytes',
    'max_events',
    'max_log_bytes',
    'wakes_counted',
    'call',
  ],
  decode(word, reply): RetryReply {
    if (word === 'not_found' || word === 'gone') return { kind: word };
    if (word === 'full') return { kind: 'full', limit: reply.text() };
    if (word !== 'accepted') return unexpected(word);
    return { ...accepted(reply), messageId: reply.text() };
  },
});

export const letterDrop = defineScript('letter-drop', {
  keys: ['letters', 'dead', 'dead_owned', 'letter_call'],
  args: ['id', 'message_id', 'call'],
  decode(word): 'not_found' | 'dropped' {
    if (word === 'not_found' || word === 'dropped') return word;
    return unexpected(word);
  },
});
