import type { Content, SessionState } from '@sluice/protocol';
import { jsonObject, readable } from '../keys/damage.js';
import { type Keys, sessionKeyId } from '../keys/keys.js';
import type { Reading } from '../reads/bulk-reads.js';
import type { Connection } from '../redis/connect.js';
import { pairs } from '../script/reply.js';
import * as scripts from '../script/scripts.js';
import { type LogPage, type LogRange, readLog } from './event-log.js';
import { decodeHistory, type HistoryPlace, lineStart, placeOf } from './history-line.js';
import { decodeEntry } from './inbox-entry.js';
import { makeAttach, UNUSED_WINDOW_MS } from './session-attach.js';
import { type Patched, patchMetadata } from './session-metadata.js';
import type { SessionOptions, SessionRef } from './session-ref.js';

/** Most bytes of a page, unless the caller asks for less: a few of the largest replies. */
const PAGE_BYTES_MAX = 4 * 2 ** 20;

/** Up to which seq connections that track no cursor were served. */
export type ResumeMark = {
  /** Lowest seq of those that are attached here; 'none': there are none; absent: the noted one stays. */
  readonly lowest?: number | 'none';
  /** Seq of one that has just detached. */
  readonly detached?: number;
};

/** Which part of the history: the newest `count` messages before `before` that fit `maxBytes`. */
export type HistoryPage = {
  readonly count: number;
  readonly before?: HistoryPlace | undefined;
  readonly maxBytes?: number;
  /** Most bytes of the inbox, from its head; default: a quarter of `maxBytes`. */
  readonly inboxBytes?: number;
};

/** Where a log stands: its epoch and the seq of its newest event; and the agent of its session. */
export type LogPlace = { readonly epoch: string; readonly head: number; readonly agent: string };

/** Everything a reader of the persisted shape gets, and where its log stands. */
export type SessionView = {
  readonly state: SessionState;
  readonly oldest: number;
  /** Where the page of messages begins when there are older ones; else undefined. */
  readonly older: HistoryPlace | undefined;
  readonly work: SessionWork;
  /** Size of what was read of inbox and history. */
  readonly bytes: number;
};

/** What an operator wants to know of a session that does not go on. */
export type SessionWork = {
  readonly principal: string;
  /** What is left of the holder's lease, by the clock of Redis; 0: nobody holds it. */
  readonly leaseLeftMs: number;
  /** The oldest message in the inbox; undefined: it is empty. */
  readonly oldest: { readonly messageId: string; readonly acceptedAtMs: number } | undefined;
  readonly handOvers: number;
  /** Reason of an abort that waits for its holder; '' when there is none. */
  readonly abort: string;
  /** A ring is on its way to a worker. */
  readonly isRung: boolean;
};

export type Sessions = ReturnType<typeof makeSessions>;

/** Reading, attaching to and ending sessions. Throws StoreUnavailable when Redis is away. */
export function makeSessions(connection: Connection, keys: Keys, options: SessionOptions) {
  return {
    attach: makeAttach(connection, keys, options),

    /** The persisted shape with one page of messages; undefined: no such session. */
    async read(
      ref: SessionRef,
      { count, before, maxBytes = PAGE_BYTES_MAX, inboxBytes = maxBytes / 4 }: HistoryPage,
      reading: Reading = {},
    ): Promise<SessionView | undefined> {
      const id = sessionKeyId(ref.principal, ref.sessionId);
      const args = {
        before: before === undefined ? '' : lineStart(before),
        count,
        max_bytes: maxBytes,
        inbox_bytes: Math.ceil(inboxBytes),
      };
      const reply = await options.bulk.run(
        reading.by ?? ref.principal,
        (bulk) => bulk.run(scripts.sessionRead, keys.session(id), args),
        reading,
      );
      return reply && toView(reply);
    },

    /** Events after a seq; undefined: no such session. */
    log(ref: SessionRef, range: LogRange, reading: Reading = {}): Promise<LogPage | undefined> {
      const id = sessionKeyId(ref.principal, ref.sessionId);
      const read = (bulk: Connection) => readLog(bulk, keys, { ...range, id });
      return options.bulk.run(reading.by ?? ref.principal, read, reading);
    },

    /** Where the log stands, without reading it; undefined: no such session. */
    async place(ref: SessionRef): Promise<LogPlace | undefined> {
      const { state } = keys.session(sessionKeyId(ref.principal, ref.sessionId));
      const fields = ['ended', 'epoch', 'cursor', 'agent'] as const;
      const [ended, epoch, head, agent] = await connection.ask(state, (client) =>
        client.hmget(state, ...fields),
      );
      if (!epoch || ended) return undefined;
      return { epoch, head: Number(head), agent: agent ?? '' };
    },

    /** Merges a patch (RFC 7396) into the metadata of a session. */
    patchMetadata(
      ref: SessionRef,
      { patch, maxBytes }: { patch: Record<string, unknown>; maxBytes: number },
    ): Promise<Patched> {
      return patchMetadata(connection, keys, { ref, patch, maxBytes });
    },

    /** Number of sessions of a principal. A number below `most` may count expired ones too. */
    async countOf(principal: string, most: number): Promise<number> {
      const all = Array.from({ length: keys.partitions }, (_, partition) => partition);
      const listed = all.map((partition) => {
        const owned = keys.sessionsIn(partition, principal);
        return connection.ask(owned, (client) => client.zcard(owned));
      });
      const counts = await Promise.all(listed);
      const count = counts.reduce((sum, it) => sum + it, 0);
      if (count < most) return count;
      let living = 0;
      for (const partition of all.filter((_, index) => counts[index])) {
        const { sessions, sessionPrefix } = keys.partition(partition);
        const owned = keys.sessionsIn(partition, principal);
        const args = { session_prefix: sessionPrefix };
        living += await connection.run(scripts.sessionsCount, { owned, sessions }, args);
      }
      return living;
    },

    /** Keeps an idle session from expiring. Returns `not_found`, `busy` (it has work) or `touched`. */
    touch(ref: SessionRef): Promise<string> {
      const id = sessionKeyId(ref.principal, ref.sessionId);
      return connection.run(scripts.sessionTouch, keys.session(id), {
        id,
        unused_window: UNUSED_WINDOW_MS,
      });
    },

    /** Notes how far the connections of this process that track no cursor were served (E10). */
    mark(ref: SessionRef, { lowest, detached }: ResumeMark): Promise<string> {
      const id = sessionKeyId(ref.principal, ref.sessionId);
      return connection.run(scripts.resumeMark, keys.session(id), {
        process: options.processId,
        lowest: lowest ?? '',
        detached: detached ?? '',
      });
    },

    /** Ends a session (D9). `callId` makes a repeat harmless. Returns the SESSION_END record; undefined: no session. */
    async end(
      ref: SessionRef,
      by: { callId: string; reason: string; reasonCode: 'client_end' | 'operator' },
    ): Promise<string | undefined> {
      const id = sessionKeyId(ref.principal, ref.sessionId);
      const sessionKeys = { ...keys.session(id), end_call: keys.endCall(id, by.callId) };
      const reply = await connection.run(scripts.sessionEnd, sessionKeys, {
        channel: keys.channel(id),
        node_channel: keys.nodeChannelPrefix(keys.partitionOf(id)),
        id,
        node: options.nodeId,
        reason: by.reason,
        reason_code: by.reasonCode,
      });
      return reply.kind === 'ended' ? reply.record : undefined;
    },
  };
}

function toView(reply: scripts.ReadReply): SessionView {
  const f = pairs(reply.fields);
  const leaseLeftMs = Number(f.lease_until ?? 0) - reply.nowMs;
  // The same rule as in include/live.lua.
  const ttlMs = Number(f.lease_ttl ?? Number.POSITIVE_INFINITY);
  const live = f.holder !== undefined && leaseLeftMs > 0 && leaseLeftMs <= ttlMs;
  const entries = reply.inbox.flatMap(readable(decodeEntry));
  const contents: (Content | string)[] = entries.map(({ content }) => content);
  const isCut = entries.length < reply.pending;
  // A message of mode `interrupt` stands before older ones.
  const [oldest] = [...entries].sort((a, b) => a.atMs - b.atMs);
  return {
    work: {
      principal: f.principal ?? '',
      leaseLeftMs: live ? leaseLeftMs : 0,
      oldest: oldest && { messageId: oldest.messageId, acceptedAtMs: oldest.atMs },
      handOvers: Number(f.hand_overs ?? 0),
      abort: f.abort ?? '',
      isRung: f.ring_mark !== undefined,
    },
    oldest: reply.oldest,
    bytes: [...reply.inbox, ...reply.messages].reduce((sum, line) => sum + line.length, 0),
    older: reply.older ? placeOf(reply.messages[0] ?? '') : undefined,
    state: {
      session_id: f.session_id ?? '',
      agent_id: f.agent ?? '',
      created_at: Number(f.created_at) / 1_000,
      last_activity: Number(f.last_activity) / 1_000,
      epoch: f.epoch ?? '',
      metadata: jsonObject(f.metadata ?? '') ?? {},
      messages: reply.messages.flatMap(readable(decodeHistory)),
      events: [],
      event_cursor: Number(f.cursor),
      pending_inbox: contents,
      pending_message_ids: entries.map(({ messageId }) => messageId),
      ...(isCut ? { truncated: true as const } : {}),
      is_executing: live && f.batch !== undefined,
      paused: reply.isPaused,
      holder: live ? (f.holder ?? null) : null,
      fence: Number(f.fence ?? 0),
      attempt: Number(f.attempt ?? 0),
    },
  };
}
