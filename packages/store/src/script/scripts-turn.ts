import { defineScript } from './script.js';
import { type Fenced, fenced, type HeadReply, head, unexpected } from './script-replies.js';

export type PeekReply =
  | { readonly kind: 'none' | 'paused' }
  | { readonly kind: 'held'; readonly holder: string }
  /** The head waits to be tried again; `ms`: for how long, NaN when a later ring will come for it. */
  | { readonly kind: 'waits'; readonly ms: number }
  | {
      readonly kind: 'free';
      readonly fence: number;
      readonly agent: string;
      readonly principal: string;
      readonly sessionId: string;
      /** Its next attempt is the last one, in a process of its own (T4). */
      readonly isLast: boolean;
    };

export const sessionPeek = defineScript('session-peek', {
  keys: ['state', 'inbox', 'pending', 'paused_agents', 'lease'],
  args: ['id', 'ring', 'max_attempts', 'max_hand_overs', 'ttl'],
  decode(word, reply): PeekReply {
    if (word === 'none' || word === 'paused') return { kind: word };
    if (word === 'held') return { kind: 'held', holder: reply.text() };
    if (word === 'waits') {
      const ms = reply.text();
      return { kind: 'waits', ms: ms === '' ? Number.NaN : Number(ms) };
    }
    if (word !== 'free') return unexpected(word);
    return {
      kind: 'free',
      fence: reply.int(),
      agent: reply.text(),
      principal: reply.text(),
      sessionId: reply.text(),
      isLast: reply.flag(),
    };
  },
});

export type BeginReply =
  | { readonly kind: 'refused'; readonly why: string }
  | { readonly kind: 'empty' }
  /** No attempt is left: the caller commits it as `dead_lettered`, without the agent. */
  | { readonly kind: 'exhausted'; readonly head: HeadReply }
  | { readonly kind: 'begun'; readonly head: HeadReply };

export const turnBegin = defineScript('turn-begin', {
  keys: ['state', 'inbox', 'events', 'messages', 'lease', 'pending', 'held', 'paused_agents'],
  args: [
    'server',
    'channel',
    'id',
    'token',
    'fence',
    'turn_id',
    'node',
    'ring',
    'ttl',
    'redlock',
    'max_attempts',
    'max_hand_overs',
    'max_events',
    'max_log_bytes',
  ],
  decode(word, reply): BeginReply {
    if (word === 'refused') return { kind: 'refused', why: reply.text() };
    if (word === 'empty') return { kind: 'empty' };
    if (word === 'alone') return { kind: 'begun', head: { ...head(reply), isAlone: true } };
    if (word !== 'begun' && word !== 'exhausted') return unexpected(word);
    return { kind: word, head: head(reply) };
  },
});

export const eventsAppend = defineScript('events-append', {
  keys: ['state', 'events', 'messages'],
  args: [
    'token',
    'fence',
    'server',
    'channel',
    'turn_id',
    'number',
    'batch',
    'max_events',
    'max_log_bytes',
  ],
  decode(word, reply): Fenced | { kind: 'appended'; cursor: number; abort: string } {
    if (word === 'fenced') return fenced;
    return { kind: 'appended', cursor: reply.int(), abort: reply.text() };
  },
});

export type CommitReply =
  | Fenced
  | { readonly kind: 'idle' | 'more' }
  | { readonly kind: 'next'; readonly head: HeadReply };

export const turnCommit = defineScript('turn-commit', {
  keys: [
    'state',
    'inbox',
    'events',
    'messages',
    'seen',
    'paused_agents',
    'sessions',
    'owned',
    'letters',
    'dead',
    'dead_owned',
  ],
  args: [
    'token',
    'fence',
    'server',
    'channel',
    'id',
    'turn_id',
    'next_turn_id',
    'fetch',
    'status',
    'reason',
    'content',
    'usage',
    'trailing',
    'max_events',
    'max_log_bytes',
    'max_messages',
    'max_seen',
    'max_dead',
  ],
  decode(word, reply): CommitReply {
    if (word === 'fenced') return fenced;
    if (word === 'idle' || word === 'more') return { kind: word };
    if (word !== 'next') return unexpected(word);
    return { kind: 'next', head: head(reply) };
  },
});

export type ReleaseReply =
  | Fenced
  | { readonly kind: 'released' }
  /** `ring`: '' when it is paused. `record` is the SESSION_END to copy; '' when no turn was aborted. */
  | { readonly kind: 'handed'; readonly ring: string; readonly record: string };

export const turnRelease = defineScript('turn-release', {
  keys: [
    'state',
    'inbox',
    'events',
    'messages',
    'seen',
    'lease',
    'pending',
    'paused_agents',
    'ends',
  ],
  args: [
    'token',
    'fence',
    'server',
    'channel',
    'id',
    'node',
    'how',
    'reason',
    'max_events',
    'max_log_bytes',
    'resume_window',
  ],
  decode(word, reply): ReleaseReply {
    if (word === 'fenced') return fenced;
    if (word === 'released') return { kind: word };
    if (word !== 'handed') return unexpected(word);
    return { kind: 'handed', ring: reply.text(), record: reply.text() };
  },
});

export type TurnRetryReply =
  | Fenced
  /** No attempt, or no time, is left: the caller commits it as `dead_lettered`. */
  | { readonly kind: 'spent' }
  | { readonly kind: 'aborted'; readonly reason: string }
  /** The lease is given up; the caller adds the ring with the delay. */
  | { readonly kind: 'waiting'; readonly ring: string };

export const turnRetry = defineScript('turn-retry', {
  keys: ['state', 'lease', 'pending'],
  args: ['token', 'fence', 'id', 'turn_id', 'how', 'delay', 'retry_for'],
  decode(word, reply): TurnRetryReply {
    if (word === 'fenced') return fenced;
    if (word === 'spent') return { kind: word };
    if (word === 'aborted') return { kind: word, reason: reply.text() };
    if (word !== 'waiting') return unexpected(word);
    return { kind: word, ring: reply.text() };
  },
});

export type RenewReply =
  /** `isEnded`: there is no other holder, somebody has ended the session (D9). */
  | { readonly kind: 'fenced'; readonly isEnded: boolean }
  | {
      readonly kind: 'renewed';
      readonly abort: string;
      /** The inbox is not empty. */
      readonly waits: boolean;
    };

export const leaseRenew = defineScript('lease-renew', {
  keys: ['state', 'inbox', 'held'],
  args: ['token', 'fence', 'id', 'ttl'],
  decode(word, reply): RenewReply {
    if (word === 'fenced' || word === 'ended') return { kind: 'fenced', isEnded: word === 'ended' };
    return { kind: 'renewed', abort: reply.text(), waits: reply.flag() };
  },
});

export const historyRead = defineScript('history-read', {
  keys: ['messages', 'events'],
  args: ['max_bytes'],
  readOnly: true,
  decode: (_word, reply) => reply.texts(),
});
