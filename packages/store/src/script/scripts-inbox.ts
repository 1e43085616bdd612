import { defineScript } from './script.js';
import { type AcceptedReply, accepted, type FullReply, unexpected } from './script-replies.js';

export type AppendReply =
  | { readonly kind: 'gone' | 'ended' | 'busy' }
  | FullReply
  | {
      readonly kind: 'duplicate';
      /** It has no outcome yet. */
      readonly isWaiting: boolean;
      readonly ring: string;
      /** The acceptance, or the outcome, as long as the log keeps it (`decodeRecords`); else empty. */
      readonly event: Buffer;
      /** Without the event: the position and the line of the reply, as far as they were found. */
      readonly position: number;
      readonly reply: string;
    }
  | AcceptedReply;

export const inboxAppend = defineScript('inbox-append', {
  keys: ['state', 'inbox', 'events', 'messages', 'seen', 'lease', 'pending', 'paused_agents'],
  args: [
    'server',
    'channel',
    'node_channel',
    'id',
    'message_id',
    'body',
    'mode',
    'max_inbox',
    'max_inbox_bytes',
    'max_events',
    'max_log_bytes',
    'wakes_counted',
    'call',
    'turn_id',
  ],
  isBinary: true,
  decode(word, reply): AppendReply {
    if (word === 'gone' || word === 'ended' || word === 'busy') return { kind: word };
    if (word === 'full') return { kind: 'full', limit: reply.text() };
    if (word === 'duplicate') {
      return {
        kind: 'duplicate',
        isWaiting: reply.flag(),
        ring: reply.text(),
        event: reply.bytes(),
        position: reply.int(),
        reply: reply.text(),
      };
    }
    if (word !== 'accepted') return unexpected(word);
    return accepted(reply);
  },
});

export const messageCancel = defineScript('message-cancel', {
  keys: ['state', 'inbox', 'events', 'messages', 'seen'],
  args: [
    'server',
    'channel',
    'id',
    'message_id',
    'max_events',
    'max_log_bytes',
    'max_seen',
    'resume_window',
  ],
  decode(word): 'not_found' | 'not_pending' | 'cancelled' {
    if (word === 'not_found' || word === 'not_pending' || word === 'cancelled') return word;
    return unexpected(word);
  },
});

export type AbortReply =
  | { readonly kind: 'not_found' }
  | {
      /**
       * `aborting`: its holder stops the turn. `aborted`: it has that outcome. `ended`: it has another one.
       * `unknown`: no such message is known. `idle`: no message was named, and none waits.
       */
      readonly kind: 'aborting' | 'aborted' | 'ended' | 'unknown' | 'idle';
      /** '' when there is none. */
      readonly messageId: string;
      readonly ring: string;
    };

export const turnAbort = defineScript('turn-abort', {
  keys: ['state', 'inbox', 'events', 'messages', 'seen', 'pending', 'paused_agents'],
  args: [
    'server',
    'channel',
    'node_channel',
    'id',
    'call',
    'message_id',
    'reason',
    'max_events',
    'max_log_bytes',
    'max_messages',
    'max_seen',
    'resume_window',
  ],
  decode(word, reply): AbortReply {
    if (word === 'not_found') return { kind: word };
    switch (word) {
      case 'aborting':
      case 'aborted':
      case 'ended':
      case 'unknown':
      case 'idle':
        return { kind: word, messageId: reply.text(), ring: reply.text() };
      default:
        return unexpected(word);
    }
  },
});
