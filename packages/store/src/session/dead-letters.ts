import type { Content } from '@sluice/protocol';
import { makeId } from '@sluice/runtime';
import { readable } from '../keys/damage.js';
import { type Keys, principalHash } from '../keys/keys.js';
import type { Connection } from '../redis/connect.js';
import { StoreFull } from '../redis/unavailable.js';
import * as scripts from '../script/scripts.js';
import type { LogEvent } from './event-log.js';
import type { InboxOptions } from './inbox.js';
import { decodeEntry } from './inbox-entry.js';
import { newestMembers, oldestMembers } from './listing-pages.js';

/** A page ends when its contents are larger; more letters come with the next one. */
const PAGE_BYTES_MAX = 4 * 1024 * 1024;

export type DeadLetter = {
  /** `<id>~<message_id>`: unreserved characters of URLs, and `:` and `@`. */
  readonly letterId: string;
  readonly principal: string;
  readonly sessionId: string;
  readonly agent: string;
  readonly messageId: string;
  readonly content: Content;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly reason: string;
  readonly attempts: number;
  readonly acceptedAtMs: number;
  readonly deadAtMs: number;
};

/** Where a page ended: the number of its last letter, which is unique within the partition. */
export type LetterCursor = { readonly number: number; readonly partition: number };

export type LetterPage = {
  readonly letters: readonly DeadLetter[];
  /** undefined: there are no older ones. */
  readonly next: LetterCursor | undefined;
};

/** Where a page of retries ended. Letters newer than `until` came during the retries, and are left alone. */
export type RetryCursor = LetterCursor & { readonly until: number };

export type RetriedPage = {
  readonly retried: number;
  /** Letters that stay: their session is gone, or its inbox is full. */
  readonly kept: number;
  readonly next: RetryCursor | undefined;
};

type RetryRequest = {
  /** undefined: letters of all agents. */
  readonly agent: string | undefined;
  readonly principal?: string | undefined;
  readonly after?: RetryCursor | undefined;
  /** How many letters are looked at, of all agents. */
  readonly count: number;
};

export type Retried =
  | { readonly kind: 'not_found' | 'gone' }
  | { readonly kind: 'full'; readonly limit: string }
  | {
      readonly kind: 'accepted';
      readonly sessionId: string;
      readonly event: LogEvent & { kind: 'accepted' };
    };

export type DeadLetters = ReturnType<typeof makeDeadLetters>;

/** Messages that used up their attempts (T4). Throws StoreUnavailable. */
export function makeDeadLetters(
  connection: Connection,
  keys: Keys,
  { rings, memory }: Omit<InboxOptions, 'bytes'>,
) {
  /** The parts of a letter's id; undefined: it is not a letter's id, or not one of `principal`. */
  function parse(letterId: string, principal: string | undefined) {
    const [, id, hash, sessionId, messageId] =
      /^(([\w-]{12})\.([^~\s]{1,128}))~([^~\s]{1,256})$/.exec(letterId) ?? [];
    if (id === undefined || sessionId === undefined || messageId === undefined) return undefined;
    if (principal !== undefined && principalHash(principal) !== hash) return undefined;
    return { id, sessionId, messageId };
  }

  const keysOf = (id: string, messageId: string) => ({
    ...keys.session(id),
    letter_call: keys.letterCall(id, messageId),
  });

  /** undefined: it was retried or deleted meanwhile, or cannot be read. */
  async function read(letterId: string, number: number): Promise<DeadLetter | undefined> {
    const parts = parse(letterId, undefined);
    if (!parts) return undefined;
    const { letters } = keys.session(parts.id);
    const [text] = await connection.ask(letters, (client) =>
      client.zrangebyscore(letters, number, number),
    );
    return text === undefined ? undefined : readable((it) => toLetter(letterId, it))(text)[0];
  }

  return {
    /** Newest first, over all partitions; of one principal, or of all. */
    async list(request: ListRequest): Promise<LetterPage> {
      const { principal, after, count } = request;
      const { places, hasMore } = await newestMembers(connection, keys, {
        keyIn: (partition) => keys.deadIn(partition, principal),
        after: after && { score: after.number, partition: after.partition },
        count,
      });
      const letters: DeadLetter[] = [];
      let bytes = 0;
      for (const [at, { score: number, partition, member }] of places.entries()) {
        const letter = await read(member, number);
        if (letter) letters.push(letter);
        bytes += letter ? JSON.stringify(letter.content).length : 0;
        const isEnd = at + 1 === places.length;
        if (isEnd && !hasMore) break;
        if (isEnd || bytes > PAGE_BYTES_MAX) return { letters, next: { number, partition } };
      }
      return { letters, next: undefined };
    },

    /** Takes a letter back into its session's inbox, and rings unless a live holder has the session. */
    async retry(letterId: string, principal?: string): Promise<Retried> {
      const parts = parse(letterId, principal);
      if (!parts) return { kind: 'not_found' };
      if (memory.isFull()) throw new StoreFull();
      const { id, sessionId, messageId } = parts;
      const reply = await connection.run(scripts.letterRetry, keysOf(id, messageId), {
        channel: keys.channel(id),
        node_channel: keys.nodeChannelPrefix(keys.partitionOf(id)),
        id,
        message_id: messageId,
        wakes_counted: 1,
        call: makeId('retry'), // made before the first try: a repeat gets the same message
      });
      if (reply.kind !== 'accepted') return reply;
      const { ring, isLogged: _, free: __, ...event } = reply;
      if (ring !== '') rings.ring(id, ring);
      return { kind: 'accepted', sessionId, event };
    },

    /** Looks at the next `count` letters, the oldest first, and retries those of an agent. */
    async retryAll(request: RetryRequest): Promise<RetriedPage> {
      const { agent, principal, after, count } = request;
      const keyIn = (partition: number) => keys.deadIn(partition, principal);
      const newest = { keyIn, after: undefined, count: 1 };
      const until =
        after?.until ?? (await newestMembers(connection, keys, newest)).places[0]?.score ?? 0;
      const listing = { keyIn, after: after && { ...after, score: after.number }, count, until };
      const { places, hasMore } = await oldestMembers(connection, keys, listing);
      let [retried, kept] = [0, 0];
      for (const { score, member } of places) {
        const letter = agent === undefined ? undefined : await read(member, score);
        if (letter?.agent !== agent) continue;
        const { kind } = await this.retry(member, principal);
        if (kind === 'accepted') retried += 1;
        else if (kind !== 'not_found') kept += 1;
      }
      const last = places.at(-1);
      const next = hasMore && last && { number: last.score, partition: last.partition, until };
      return { retried, kept, next: next || undefined };
    },

    /** Deletes a letter. False: there is no such letter. */
    async drop(letterId: string, principal?: string): Promise<boolean> {
      const parts = parse(letterId, principal);
      if (!parts) return false;
      const { id, messageId } = parts;
      const word = await connection.run(scripts.letterDrop, keysOf(id, messageId), {
        id,
        message_id: messageId,
        call: makeId('drop'), // made before the first try: a repeat gets the same answer
      });
      return word === 'dropped';
    },
  };
}

type ListRequest = {
  readonly principal?: string | undefined;
  readonly after?: LetterCursor | undefined;
  readonly count: number;
};

/** `<message_id> <json>`, as the scripts write it (scripts/include/letter.lua). */
function toLetter(letterId: string, text: string): DeadLetter {
  const kept = JSON.parse(text.slice(text.indexOf(' ') + 1)) as {
    session_id: string;
    agent: string;
    principal: string;
    reason: string;
    attempts: number;
    at: number;
    entry: string;
  };
  const { messageId, content, metadata, atMs } = decodeEntry(kept.entry);
  return {
    letterId,
    principal: kept.principal,
    sessionId: kept.session_id,
    agent: kept.agent,
    messageId,
    content,
    metadata,
    reason: kept.reason,
    attempts: kept.attempts,
    acceptedAtMs: atMs,
    deadAtMs: kept.at,
  };
}
