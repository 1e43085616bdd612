import type { Redis } from 'ioredis';
import type { makeKeys } from '../../packages/store/dist/keys/keys.js';
import type { Connection } from '../../packages/store/dist/redis/connect.js';
import type { HeadReply } from '../../packages/store/dist/script/script-replies.js';
import type * as storeScripts from '../../packages/store/dist/script/scripts.js';
import { bodyOf, type ModelLine, textOf } from './history-model.js';
import type { ModelLimits } from './model-base.js';
import { eventOf, expiresWhole, historyOf, repeated } from './real-history.js';
import {
  type Answer,
  type Ended,
  type How,
  type Mode,
  type ModelEvent,
  modelLimits,
} from './session-model.js';

export type Scripts = typeof storeScripts;

/** A lease as a node presents it; `fence` is the one that Redis drew. */
export type RealLease = { readonly token: string; readonly fence: number };

/** What can be seen of a session from outside, in the words of the model. */
export type Seen = {
  readonly cursor: number;
  readonly started: number;
  readonly attempt: number;
  readonly abort: string;
  readonly holder: string | undefined;
  readonly leaseKey: string | undefined;
  readonly inbox: readonly string[];
  /** Ids that were accepted, in the order of their names. */
  readonly seen: readonly string[];
  /** It is in the listing of all sessions, and in that of its principal. */
  readonly isListed: boolean;
  /** All keys of the session expire, at one moment. */
  readonly expires: boolean;
  /** Events since they were last asked for, as far as the log holds them; and the oldest one that it holds. */
  readonly events: readonly ModelEvent[];
  readonly low: number;
  readonly history: readonly ModelLine[];
};

export type RealKnown = { readonly known: string; readonly created_at: string };

const TTL_MS = 600_000;
const idsOf = (entries: readonly string[]) => entries.map((entry) => entry.split(' ', 1)[0] ?? '');

type Head = Pick<HeadReply, 'turnId' | 'attempt' | 'abort' | 'isAlone' | 'entries'>;
const headOf = ({ turnId, attempt, abort, isAlone, entries }: Head) => ({
  ...{ turnId, attempt, abort, isAlone },
  ids: idsOf(entries),
});
const attempts = {
  max_attempts: modelLimits.maxAttempts,
  max_hand_overs: modelLimits.maxHandOvers,
};

export type RealOptions = {
  readonly connection: Connection;
  readonly client: Redis;
  readonly keys: ReturnType<typeof makeKeys>;
  readonly scripts: Scripts;
};

/** One session of a real Redis, called script by script; answers in the words of the model. */
export class RealSession {
  readonly #keys;
  readonly #channels;
  #readTo = 0;

  constructor(
    readonly options: RealOptions,
    readonly id: string,
    readonly limits: ModelLimits,
  ) {
    const { keys } = options;
    this.#keys = keys.session(id);
    this.#channels = {
      channel: keys.channel(id),
      node_channel: keys.nodeChannelPrefix(keys.partitionOf(id)),
      id,
      max_events: limits.maxEvents,
      max_log_bytes: limits.maxLogBytes,
      max_messages: limits.maxMessages,
      max_seen: 1_000,
    };
  }

  get #run() {
    return this.options.connection.run;
  }

  async attach(connection: string): Promise<Answer> {
    const { scripts } = this.options;
    const reply = await this.#run(scripts.sessionAttach, this.#keys, {
      ...this.#channels,
      ...{ agent: this.id, principal: 'alice', session_id: this.id, create: 1, since: 0 },
      ...{ known_epoch: '', connection, process: '~n0', live_processes: '' },
      ...{ wakes_counted: 1, metadata: '{}', page_bytes: 0 },
      ...{ unused_window: TTL_MS, resume_window: TTL_MS },
    });
    if (reply.kind !== 'attached') return { word: reply.kind };
    const { cursor, pending, executing, isPaused } = reply;
    if (cursor === 0) this.#readTo = 0; // a new session, with a log of its own
    return { word: 'attached', cursor, pending, executing, isPaused };
  }

  async append(
    message_id: string,
    { mode, call, turnId }: { mode: Mode; call: string; turnId: string },
  ): Promise<{ answer: Answer; ringFence?: number | undefined }> {
    const { scripts } = this.options;
    const reply = await this.#run(scripts.inboxAppend, this.#keys, {
      ...this.#channels,
      ...{ message_id, mode, body: bodyOf(message_id), wakes_counted: 1, call, turn_id: turnId },
      ...{ max_inbox: this.limits.maxInbox, max_inbox_bytes: 1_000_000 },
    });
    if (reply.kind === 'duplicate') {
      const outcome = repeated(reply, message_id);
      return { answer: { word: reply.kind, ring: reply.ring, outcome } };
    }
    if (reply.kind !== 'accepted') return { answer: { word: reply.kind } };
    const { seq, position, ring, isPaused, free } = reply;
    return { answer: { word: 'accepted', seq, position, ring, isPaused }, ringFence: free?.fence };
  }

  /** `fence`: the stored one; 0 when no lease was drawn yet. */
  async peek(): Promise<{ answer: Answer; fence: number }> {
    const { scripts } = this.options;
    const given = { id: this.id, ring: '', ttl: TTL_MS, ...attempts };
    const reply = await this.#run(scripts.sessionPeek, this.#keys, given);
    if (reply.kind !== 'free') return { answer: { word: reply.kind }, fence: 0 };
    return { answer: { word: reply.kind, isLast: reply.isLast }, fence: reply.fence };
  }

  async acquire(token: string): Promise<boolean> {
    const set = await this.options.client.set(this.#keys.lease, token, 'PX', TTL_MS, 'NX');
    return set === 'OK';
  }

  /** Gives back a lease key that did not become a lease. */
  async abandon(token: string): Promise<void> {
    const { client } = this.options;
    if ((await client.get(this.#keys.lease)) === token) await client.del(this.#keys.lease);
  }

  /** `ring`: the number of the ring that is answered. */
  async begin(
    lease: RealLease,
    { node, turnId, ring }: { node: string; turnId: string; ring: string },
  ): Promise<{ answer: Answer; fence: number }> {
    const { scripts } = this.options;
    const reply = await this.#run(scripts.turnBegin, this.#keys, {
      ...this.#channels,
      ...lease,
      ...{ turn_id: turnId, node, ring, ttl: TTL_MS, redlock: 'here' },
      ...attempts,
    });
    if (reply.kind !== 'begun' && reply.kind !== 'exhausted') {
      return { answer: { word: reply.kind }, fence: 0 };
    }
    return { answer: { word: reply.kind, ...headOf(reply.head) }, fence: reply.head.fence };
  }

  async delta(lease: RealLease, turn: { turnId: string; number: number }): Promise<Answer> {
    const { scripts } = this.options;
    const reply = await this.#run(scripts.eventsAppend, this.#keys, {
      ...this.#channels,
      ...lease,
      ...{ turn_id: turn.turnId, number: turn.number, batch: '[["t","d","m","m"]]' },
    });
    if (reply.kind === 'fenced') return { word: reply.kind };
    return { word: 'appended', cursor: reply.cursor, abort: reply.abort };
  }

  async commit(
    lease: RealLease,
    { turnId, next, fetch }: { turnId: string; next: string; fetch: boolean },
  ): Promise<Answer> {
    const { scripts } = this.options;
    const reply = await this.#run(scripts.turnCommit, this.#keys, {
      ...this.#channels,
      ...lease,
      ...{ turn_id: turnId, next_turn_id: next, fetch: fetch ? 1 : 0, status: 'ok', reason: '' },
      ...{ content: textOf(turnId), usage: '', trailing: '[]', max_dead: 10 },
    });
    return reply.kind === 'next' ? { word: 'next', ...headOf(reply.head) } : { word: reply.kind };
  }

  async release(lease: RealLease, how: How, node: string): Promise<Answer> {
    const { scripts } = this.options;
    const reply = await this.#run(scripts.turnRelease, this.#keys, {
      ...this.#channels,
      ...lease,
      ...{ node, how, reason: 'drain', resume_window: TTL_MS },
    });
    return reply.kind === 'handed' ? { word: 'handed', ring: reply.ring } : { word: reply.kind };
  }

  async retry(
    lease: RealLease,
    { turnId, how, isLate }: { turnId: string; how: Ended; isLate: boolean },
  ): Promise<Answer> {
    const reply = await this.#run(this.options.scripts.turnRetry, this.#keys, {
      ...lease,
      ...{ id: this.id, turn_id: turnId, how },
      ...{ delay: TTL_MS, retry_for: isLate ? 0 : TTL_MS },
    });
    const { kind: word, ...rest } = reply;
    return { word, ...rest };
  }

  async ripen(): Promise<void> {
    const { client } = this.options;
    const { state } = this.#keys;
    if ((await client.hexists(state, 'retry_at')) === 1) await client.hset(state, 'retry_at', 1);
  }

  async renew(lease: RealLease): Promise<Answer> {
    const { scripts } = this.options;
    const given = { ...lease, id: this.id, ttl: TTL_MS };
    const reply = await this.#run(scripts.leaseRenew, this.#keys, given);
    if (reply.kind === 'fenced') return { word: 'fenced' };
    return { word: 'renewed', abort: reply.abort, waits: reply.waits };
  }

  async expire(): Promise<void> {
    const { state, lease } = this.#keys;
    const { client } = this.options;
    const isThere = (await client.exists(state)) === 1;
    await client.del(lease);
    if (isThere) await client.hset(state, 'lease_until', 1);
  }

  async cancel(message_id: string): Promise<Answer> {
    const { scripts } = this.options;
    const limits = { resume_window: TTL_MS };
    const given = { ...this.#channels, message_id, ...limits };
    return { word: await this.#run(scripts.messageCancel, this.#keys, given) };
  }

  async abort(call: string, target: string | undefined): Promise<Answer> {
    const { scripts } = this.options;
    const limits = {
      max_messages: this.limits.maxMessages,
      max_seen: 1_000,
      resume_window: TTL_MS,
    };
    const given = { ...this.#channels, call, message_id: target ?? '', reason: 'user', ...limits };
    const reply = await this.#run(scripts.turnAbort, this.#keys, given);
    if (reply.kind === 'not_found') return { word: reply.kind };
    return { word: reply.kind, id: reply.messageId, ring: reply.ring };
  }

  async end(call: string): Promise<Answer> {
    const { scripts } = this.options;
    const why = { reason: 'Ended', reason_code: 'operator' };
    const keys = { ...this.#keys, end_call: this.options.keys.endCall(this.id, call) };
    const given = { ...this.#channels, node: 'n0', ...why };
    return { word: (await this.#run(scripts.sessionEnd, keys, given)).kind };
  }

  /** What a caller reads before it changes the pause. */
  async pauseKnown(): Promise<RealKnown> {
    const { client } = this.options;
    const [known, created_at] = await client.hmget(this.#keys.state, 'paused', 'created_at');
    return { known: known ?? '0', created_at: created_at ?? '' };
  }

  async pause(on: boolean, known: RealKnown): Promise<Answer> {
    const given = { id: this.id, pause: on ? 1 : 0, ...known };
    const reply = await this.#run(this.options.scripts.sessionPause, this.#keys, given);
    if (reply.kind !== 'resumed') return { word: reply.kind };
    return { word: reply.kind, isPaused: reply.isPaused, ring: reply.ring };
  }

  async copyPause(number: number): Promise<Answer> {
    const given = { agent: this.id, number };
    return { word: await this.#run(this.options.scripts.pauseCopy, this.#keys, given) };
  }

  /** Makes the session due for the next sweep, and the sweep due. */
  async expectSweep(): Promise<void> {
    const { keys, client } = this.options;
    const { swept, pending, held } = keys.partition(keys.partitionOf(this.id));
    const due = client.pipeline().del(swept);
    for (const listing of [pending, held]) due.zadd(listing, 'XX', 1, this.id);
    if ((await client.hexists(this.#keys.state, 'due')) === 1) due.hset(this.#keys.state, 'due', 1);
    await due.exec();
  }

  async sweep(call: string): Promise<Answer> {
    const { scripts, keys } = this.options;
    const { sessionPrefix, ownedPrefix, ...named } = keys.partition(keys.partitionOf(this.id));
    const { rings } = await this.#run(scripts.pendingSweep, named, {
      ...{ session_prefix: sessionPrefix, owned_prefix: ownedPrefix, interval: 1, call },
      horizon: 60_000,
      resume_window: TTL_MS,
    });
    return { word: 'swept', ring: rings.find(({ id }) => id === this.id)?.ring ?? '' };
  }

  async draw(call: string): Promise<Answer> {
    const given = { id: this.id, delay: 0, call };
    return {
      word: 'drawn',
      ring: await this.#run(this.options.scripts.ringDraw, this.#keys, given),
    };
  }

  async touch(): Promise<Answer> {
    const given = { id: this.id, unused_window: TTL_MS, resume_window: TTL_MS };
    return { word: await this.#run(this.options.scripts.sessionTouch, this.#keys, given) };
  }

  #history(): Promise<string[]> {
    const given = { max_bytes: Number.MAX_SAFE_INTEGER };
    return this.#run(this.options.scripts.historyRead, this.#keys, given);
  }

  async look(): Promise<Seen> {
    const { state, inbox, events, messages, seen, pending, held, lease, sessions, owned } =
      this.#keys;
    const fields = ['cursor', 'batch', 'attempt', 'abort', 'holder', 'bytes', 'ended'] as const;
    const kept = ['token', 'history_bytes', 'history_own', 'log_low', 'lease_until'] as const;
    const replies = await this.options.client
      .pipeline()
      .hmget(state, ...fields, ...kept)
      .lrange(inbox, 0, -1)
      .xrange(events, '-', '+')
      .lrange(messages, 0, -1)
      .zscore(pending, this.id)
      .zscore(held, this.id)
      .zscore(sessions, this.id)
      .zscore(owned, this.id)
      .get(lease)
      .zrange(seen, 0, '-1')
      .pexpiretime(state)
      .pexpiretime(inbox)
      .pexpiretime(events)
      .pexpiretime(messages)
      .pexpiretime(seen)
      .exec();
    const [stored, entries, log, raw, due, looked, listed, listedOwn, leaseKey, ids, ...times] = (
      replies ?? []
    ).map(([, reply]) => reply) as [
      (string | null)[],
      string[],
      [string, string[]][],
      string[],
      string | null,
      string | null,
      string | null,
      string | null,
      string | null,
      string[],
      ...number[],
    ];
    const [cursor, batch, attempt, abort, holder, bytes, ended, token, ...more] = stored;
    const [history, own, low, until] = more;
    const first = Number.parseInt(log[0]?.[0] ?? '1', 10);
    for (const [at, [entryId]] of log.entries()) {
      if (entryId !== `${first + at}-0`) throw new Error(`E1: ${entryId} is event ${first + at}`);
    }
    const unread = log.slice(Math.max(0, this.#readTo + 1 - first));
    this.#readTo = first + log.length - 1;
    const sum = entries.reduce((total, entry) => total + Buffer.byteLength(entry), 0);
    if (!ended && Number(bytes) !== sum) throw new Error(`S4: ${bytes} bytes where ${sum} wait`);
    if (token && looked === null) throw new Error('C4: no sweep looks at its lease');
    if (entries.length > 0 && due === null) throw new Error('T7: no sweep looks at what waits');
    const isLate = holder && Number(until) > 1 && Number(due) > Number(until);
    if (entries.length > 0 && isLate) throw new Error(`T7: ${due} is after the lease of ${until}`);
    if ((listed === null) !== (listedOwn === null)) throw new Error('listed in one of two');
    const started = Number(batch ?? 0);
    return {
      cursor: Number(cursor ?? 0),
      started,
      attempt: started > 0 ? Number(attempt) : 0,
      abort: abort ?? '',
      holder: holder ?? undefined,
      leaseKey: leaseKey ?? undefined,
      inbox: idsOf(entries),
      seen: ids.sort(),
      isListed: listed !== null,
      expires: expiresWhole(times),
      events: unread.map(([, flat]) => eventOf(flat)),
      low: first,
      history: historyOf(
        {
          ...{ log, raw, read: await this.#history() },
          bytes: ended
            ? undefined
            : { history: Number(history), own: Number(own), low: Number(low) },
        },
        this.limits,
      ),
    };
  }
}
