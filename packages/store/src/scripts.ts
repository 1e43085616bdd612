import { InvariantError } from '@sluice/runtime';
import type { ReplyReader, Value } from './reply.js';
import { defineScript } from './script.js';

/** Every script of `scripts/`, typed: the one place where replies become values. */

function unexpected(word: string): never {
  throw new InvariantError(`unexpected reply ${word}`);
}

/** The started head as a holder needs it. */
export type HeadReply = {
  readonly fence: number;
  readonly turnId: string;
  readonly attempt: number;
  /** Reason of an abort that was promised for this head; '' when there is none. */
  readonly abort: string;
  readonly agent: string;
  readonly principal: string;
  readonly sessionId: string;
  readonly entries: readonly string[];
};

function head(reply: ReplyReader): HeadReply {
  const [fence, turnId, attempt, abort, , , , agent, principal, sessionId] = reply.texts();
  return {
    fence: Number(fence),
    turnId: turnId ?? '',
    attempt: Number(attempt),
    abort: abort ?? '',
    agent: agent ?? '',
    principal: principal ?? '',
    sessionId: sessionId ?? '',
    entries: reply.texts(),
  };
}

export type AttachReply =
  | { readonly kind: 'not_found' }
  | { readonly kind: 'wrong_agent'; readonly agent: string }
  | {
      readonly kind: 'attached';
      readonly created: boolean;
      readonly epoch: string;
      readonly cursor: number;
      /** Seq of the oldest retained event; 0 when there is none. */
      readonly oldest: number;
      readonly pending: number;
      readonly executing: boolean;
      /** Replay starts behind this seq. */
      readonly from: number;
      readonly resync: boolean;
      readonly agent: string;
    };

export const sessionAttach = defineScript('session-attach', {
  keys: ['state', 'inbox', 'events', 'messages', 'seen', 'sessions', 'owned'],
  args: [
    'server',
    'id',
    'agent',
    'principal',
    'session_id',
    'create',
    'since',
    'known_epoch',
    'connection',
    'node',
    'live_nodes',
    'node_channel',
    'wakes_counted',
    'metadata',
    'unused_window',
    'resume_window',
  ],
  decode(word, reply): AttachReply {
    if (word === 'not_found') return { kind: 'not_found' };
    if (word === 'wrong_agent') return { kind: 'wrong_agent', agent: reply.text() };
    if (word !== 'attached') return unexpected(word);
    return {
      kind: 'attached',
      created: reply.flag(),
      epoch: reply.text(),
      cursor: reply.int(),
      oldest: reply.int(),
      pending: reply.int(),
      executing: reply.flag(),
      from: reply.int(),
      resync: reply.flag(),
      agent: reply.text(),
    };
  },
});

export type ReadReply = {
  readonly nowMs: number;
  readonly fields: readonly Value[];
  readonly inbox: readonly string[];
  readonly messages: readonly string[];
  readonly oldest: number;
};

export const sessionRead = defineScript('session-read', {
  keys: ['state', 'inbox', 'events', 'messages'],
  args: ['messages_from', 'messages_to'],
  readOnly: true,
  decode(word, reply): ReadReply | undefined {
    if (word === 'not_found') return undefined;
    return {
      nowMs: reply.int(),
      fields: reply.list(),
      inbox: reply.texts(),
      messages: reply.texts(),
      oldest: reply.int(),
    };
  },
});

export const sessionTouch = defineScript('session-touch', {
  keys: ['state', 'inbox', 'events', 'messages', 'seen', 'sessions', 'owned'],
  args: ['id', 'unused_window', 'resume_window'],
  decode: (word) => word,
});

export type PeekReply =
  | { readonly kind: 'none' }
  | { readonly kind: 'held'; readonly holder: string }
  | {
      readonly kind: 'free';
      readonly fence: number;
      readonly agent: string;
      readonly principal: string;
      readonly sessionId: string;
    };

export const sessionPeek = defineScript('session-peek', {
  keys: ['state', 'inbox', 'pending'],
  args: ['id', 'ring'],
  decode(word, reply): PeekReply {
    if (word === 'none') return { kind: 'none' };
    if (word === 'held') return { kind: 'held', holder: reply.text() };
    if (word !== 'free') return unexpected(word);
    return {
      kind: 'free',
      fence: reply.int(),
      agent: reply.text(),
      principal: reply.text(),
      sessionId: reply.text(),
    };
  },
});

export type AppendReply =
  | { readonly kind: 'gone' | 'ended' | 'busy' }
  | { readonly kind: 'full'; readonly limit: string }
  | {
      readonly kind: 'duplicate';
      /** Seq of the acceptance while the message waits; 0 once it has an outcome. */
      readonly acceptedSeq: number;
      readonly ring: string;
      /** The acceptance, or the outcome, as long as the log keeps it: [id, fields]. */
      readonly event: readonly Value[] | undefined;
    }
  | {
      readonly kind: 'accepted';
      readonly epoch: string;
      readonly seq: number;
      readonly atMs: number;
      readonly position: number;
      /** Number of the ring to add; '' when none is due. */
      readonly ring: string;
    };

export const inboxAppend = defineScript('inbox-append', {
  keys: ['state', 'inbox', 'events', 'messages', 'seen', 'lease', 'pending'],
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
    'wakes_counted',
  ],
  decode(word, reply): AppendReply {
    if (word === 'gone' || word === 'ended' || word === 'busy') return { kind: word };
    if (word === 'full') return { kind: 'full', limit: reply.text() };
    if (word === 'duplicate') {
      return {
        kind: 'duplicate',
        acceptedSeq: reply.int(),
        ring: reply.text(),
        event: reply.optionalList(),
      };
    }
    if (word !== 'accepted') return unexpected(word);
    return {
      kind: 'accepted',
      epoch: reply.text(),
      seq: reply.int(),
      atMs: reply.int(),
      position: reply.int(),
      ring: reply.text(),
    };
  },
});

export const messageCancel = defineScript('message-cancel', {
  keys: ['state', 'inbox', 'events', 'messages', 'seen', 'pending'],
  args: ['server', 'channel', 'id', 'message_id', 'max_events', 'resume_window'],
  decode(word): 'not_found' | 'not_pending' | 'cancelled' {
    if (word === 'not_found' || word === 'not_pending' || word === 'cancelled') return word;
    return unexpected(word);
  },
});

export type BeginReply =
  | { readonly kind: 'refused'; readonly why: string }
  | { readonly kind: 'empty' }
  /** No attempt is left: to be committed as `dead_lettered` without the agent. */
  | { readonly kind: 'exhausted'; readonly head: HeadReply }
  | { readonly kind: 'begun'; readonly head: HeadReply };

export const turnBegin = defineScript('turn-begin', {
  keys: ['state', 'inbox', 'events', 'lease', 'pending'],
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
    'lease_here',
    'max_attempts',
    'max_hand_overs',
    'max_events',
  ],
  decode(word, reply): BeginReply {
    if (word === 'refused') return { kind: 'refused', why: reply.text() };
    if (word === 'empty') return { kind: 'empty' };
    if (word !== 'begun' && word !== 'exhausted') return unexpected(word);
    return { kind: word, head: head(reply) };
  },
});

export type Fenced = { readonly kind: 'fenced' };
const fenced: Fenced = { kind: 'fenced' };

export const eventsAppend = defineScript('events-append', {
  keys: ['state', 'events'],
  args: ['token', 'fence', 'server', 'channel', 'turn_id', 'number', 'batch', 'max_events'],
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
  keys: ['state', 'inbox', 'events', 'messages', 'seen', 'pending', 'dead', 'sessions', 'owned'],
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
    'max_messages',
    'max_seen',
    'max_dead',
    'resume_window',
  ],
  decode(word, reply): CommitReply {
    if (word === 'fenced') return fenced;
    if (word === 'idle' || word === 'more') return { kind: word };
    if (word !== 'next') return unexpected(word);
    return { kind: 'next', head: head(reply) };
  },
});

export const turnAbort = defineScript('turn-abort', {
  keys: ['state'],
  args: ['node_channel', 'id', 'reason'],
  decode(word): 'not_found' | 'no_active_turn' | 'aborting' {
    if (word === 'not_found' || word === 'no_active_turn' || word === 'aborting') return word;
    return unexpected(word);
  },
});

export type ReleaseReply =
  | Fenced
  | { readonly kind: 'more' | 'released' }
  /** `record` is the SESSION_END to copy; '' when no turn was aborted. */
  | { readonly kind: 'handed'; readonly ring: string; readonly record: string };

export const turnRelease = defineScript('turn-release', {
  keys: ['state', 'inbox', 'events', 'lease', 'pending', 'ends'],
  args: [
    'token',
    'fence',
    'server',
    'channel',
    'id',
    'node',
    'how',
    'lease_here',
    'reason',
    'max_events',
  ],
  decode(word, reply): ReleaseReply {
    if (word === 'fenced') return fenced;
    if (word === 'more' || word === 'released') return { kind: word };
    if (word !== 'handed') return unexpected(word);
    return { kind: 'handed', ring: reply.text(), record: reply.text() };
  },
});

export const leaseRenew = defineScript('lease-renew', {
  keys: ['state', 'pending'],
  args: ['token', 'fence', 'id', 'ttl'],
  decode(word, reply): Fenced | { kind: 'renewed'; abort: string } {
    return word === 'fenced' ? fenced : { kind: 'renewed', abort: reply.text() };
  },
});

export const sessionEnd = defineScript('session-end', {
  keys: [
    'state',
    'inbox',
    'events',
    'messages',
    'seen',
    'lease',
    'pending',
    'sessions',
    'owned',
    'ends',
  ],
  args: [
    'server',
    'channel',
    'node_channel',
    'id',
    'node',
    'call',
    'reason',
    'reason_code',
    'max_events',
  ],
  decode(word, reply): { kind: 'not_found' } | { kind: 'ended'; record: string } {
    return word === 'not_found' ? { kind: 'not_found' } : { kind: 'ended', record: reply.text() };
  },
});

export const resumeMark = defineScript('resume-mark', {
  keys: ['state'],
  args: ['connection', 'node', 'seq', 'gone'],
  decode: (word) => word,
});

export const ringDraw = defineScript('ring-draw', {
  keys: ['state', 'inbox', 'pending'],
  args: ['id', 'delay'],
  decode: (word, reply) => (word === 'drawn' ? reply.text() : ''),
});

export type SweepReply = {
  readonly rings: readonly { readonly id: string; readonly ring: string }[];
  readonly overdueEnds: readonly string[];
};

export const pendingSweep = defineScript('pending-sweep', {
  keys: ['pending', 'swept', 'ends', 'sessions'],
  args: ['session_prefix', 'owned_prefix', 'interval', 'resume_window'],
  decode(word, reply): SweepReply {
    if (word === 'early') return { rings: [], overdueEnds: [] };
    const flat = reply.texts();
    const rings = [];
    for (let i = 0; i + 1 < flat.length; i += 2) {
      rings.push({ id: flat[i] ?? '', ring: flat[i + 1] ?? '' });
    }
    return { rings, overdueEnds: reply.texts() };
  },
});

export const endsCopied = defineScript('ends-copied', {
  keys: ['ends'],
  args: ['record'],
  decode: (word) => word,
});

export type NodeStatus = 'worker' | 'edge' | 'draining';
export type NodeBeat = {
  readonly node: string;
  readonly status: string;
  readonly ageMs: number;
  readonly info: string;
};

export const nodeBeat = defineScript('node-beat', {
  keys: ['nodes'],
  args: ['node', 'status', 'info'],
  decode(_word, reply): NodeBeat[] {
    const flat = reply.texts();
    const beats: NodeBeat[] = [];
    for (let i = 0; i + 3 < flat.length; i += 4) {
      const [node = '', status = '', age = '', info = ''] = flat.slice(i, i + 4);
      beats.push({ node, status, ageMs: Number(age), info });
    }
    return beats;
  },
});

export const nodeDrain = defineScript('node-drain', {
  keys: ['nodes'],
  args: ['node', 'info'],
  decode: (_word, reply) => reply.int(),
});
