import type { Value } from './reply.js';
import { defineScript } from './script.js';
import { unexpected } from './script-replies.js';

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
      /** Replay starts after this seq. */
      readonly from: number;
      readonly resync: boolean;
      readonly agent: string;
      /** Id of the message whose turn was begun and not ended; '' when there is none. */
      readonly headMessageId: string;
      /** The session is paused, or its agent. */
      readonly isPaused: boolean;
      /** The events after `from`, or the first of them (`decodeRecords`); empty if not asked for, none or too long. */
      readonly events: Buffer;
    };

export const sessionAttach = defineScript('session-attach', {
  keys: ['state', 'inbox', 'events', 'messages', 'seen', 'sessions', 'owned', 'paused_agents'],
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
    'process',
    'live_processes',
    'node_channel',
    'wakes_counted',
    'metadata',
    'page_bytes',
    'unused_window',
    'resume_window',
  ],
  isBinary: true,
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
      headMessageId: reply.text(),
      isPaused: reply.flag(),
      events: reply.bytes(),
    };
  },
});

export type ReadReply = {
  readonly nowMs: number;
  readonly fields: readonly Value[];
  /** Entries from the head of the inbox, as far as they fit. */
  readonly inbox: readonly string[];
  readonly messages: readonly string[];
  /** The history has messages before these. */
  readonly older: boolean;
  /** Seq of the oldest retained event; 0 when there is none. */
  readonly oldest: number;
  readonly isPaused: boolean;
  /** Length of the whole inbox. */
  readonly pending: number;
};

export const sessionRead = defineScript('session-read', {
  keys: ['state', 'inbox', 'events', 'messages', 'paused_agents'],
  args: ['before', 'count', 'max_bytes', 'inbox_bytes'],
  readOnly: true,
  decode(word, reply): ReadReply | undefined {
    if (word === 'not_found') return undefined;
    return {
      nowMs: reply.int(),
      fields: reply.list(),
      inbox: reply.texts(),
      messages: reply.texts(),
      older: reply.flag(),
      oldest: reply.int(),
      isPaused: reply.flag(),
      pending: reply.int(),
    };
  },
});

export type LogReply = {
  readonly epoch: string;
  readonly head: number;
  readonly epochBefore: string;
  readonly epochFrom: number;
  readonly bytes: number;
  /** Records (`decodeRecords`). */
  readonly events: Buffer;
};

export const logRead = defineScript('log-read', {
  keys: ['state', 'events'],
  args: ['after', 'count', 'max_bytes'],
  readOnly: true,
  isBinary: true,
  decode(word, reply): LogReply | undefined {
    if (word === 'not_found') return undefined;
    return {
      epoch: reply.text(),
      head: reply.int(),
      epochBefore: reply.text(),
      epochFrom: reply.int(),
      bytes: reply.int(),
      events: reply.bytes(),
    };
  },
});

export type DescribeReply = {
  readonly nowMs: number;
  /** In the order of session-describe.lua. */
  readonly fields: readonly string[];
  readonly pending: number;
  readonly isPaused: boolean;
};

export const sessionDescribe = defineScript('session-describe', {
  keys: ['state', 'inbox', 'paused_agents'],
  args: [],
  readOnly: true,
  decode(word, reply): DescribeReply | undefined {
    if (word === 'not_found') return undefined;
    return {
      nowMs: reply.int(),
      fields: reply.texts(),
      pending: reply.int(),
      isPaused: reply.flag(),
    };
  },
});

export type ReplaceReply =
  | { readonly kind: 'not_found' | 'replaced' }
  | { readonly kind: 'changed'; readonly metadata: string };

export const metadataReplace = defineScript('metadata-replace', {
  keys: ['state'],
  args: ['known', 'metadata'],
  decode(word, reply): ReplaceReply {
    if (word === 'not_found' || word === 'replaced') return { kind: word };
    return word === 'changed' ? { kind: word, metadata: reply.text() } : unexpected(word);
  },
});

export const sessionTouch = defineScript('session-touch', {
  keys: ['state', 'inbox', 'events', 'messages', 'seen', 'sessions', 'owned'],
  args: ['id', 'unused_window', 'resume_window'],
  decode: (word) => word,
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
    'end_call',
  ],
  args: [
    'server',
    'channel',
    'node_channel',
    'id',
    'node',
    'reason',
    'reason_code',
    'max_events',
    'max_log_bytes',
  ],
  decode(word, reply): { kind: 'not_found' } | { kind: 'ended'; record: string } {
    return word === 'not_found' ? { kind: 'not_found' } : { kind: 'ended', record: reply.text() };
  },
});

export const resumeMark = defineScript('resume-mark', {
  keys: ['state'],
  args: ['process', 'lowest', 'detached'],
  decode: (word) => word,
});
