import { betweenFailpoints, makeId, monotonicMs } from '@sluice/runtime';
import type { Redis } from 'ioredis';
import { Lock, Redlock } from 'redlock';
import type { Keys } from '../keys/keys.js';
import type { BulkReads } from '../reads/bulk-reads.js';
import type { Connection } from '../redis/connect.js';
import { StoreUnavailable } from '../redis/unavailable.js';
import type { PlainCall } from '../script/failpoints.js';
import * as scripts from '../script/scripts.js';

/** What every write under a lease presents (L3). */
export type Lease = {
  readonly id: string;
  readonly token: string;
  readonly fence: number;
};

/** A Redlock that was taken, until `deadlineMs` (monotonic); becomes a lease with `turn-begin`. */
export type Claim = { readonly token: string; readonly deadlineMs: number };

export type TurnEnd = {
  readonly turnId: string;
  readonly nextTurnId: string;
  /** Whether to start the next message in the same step. */
  readonly fetch: boolean;
  readonly status: string;
  readonly reason: string;
  readonly content: string;
  /** JSON or ''. */
  readonly usage: string;
  /** Stream events not yet appended (`streamFields`). */
  readonly trailing: readonly (readonly string[])[];
};

export type Retry = {
  readonly turnId: string;
  /** `failed`: the agent says that its failure will pass; `cut`: the process that ran the turn died. */
  readonly how: 'failed' | 'cut';
  readonly delayMs: number;
  /** How long after its first failure a message is tried again. */
  readonly retryForMs: number;
};

export type Leases = ReturnType<typeof makeLeases>;

export type LeaseOptions = {
  readonly bulk: BulkReads;
  readonly nodeId: string;
  readonly ttlMs: number;
};

/** Taking a session's lease (its Redlock), and every write under it. Throws StoreUnavailable. */
export function makeLeases(
  connection: Connection,
  keys: Keys,
  { bulk, nodeId, ttlMs }: LeaseOptions,
) {
  const redlocks = new WeakMap<Redis, Redlock>();
  /** The Redlock of the server that has this lease. Throws when there is none now. */
  function redlockOf(resource: string): Redlock {
    const client = connection.clientOf(resource);
    if (!client) throw new StoreUnavailable('Redis is not reachable');
    const known = redlocks.get(client);
    if (known) return known;
    const redlock = new Redlock([client], { retryCount: 0, db: connection.db });
    redlock.on('error', () => {}); // every failure also reaches the caller
    redlocks.set(client, redlock);
    return redlock;
  }
  const between = <T>(call: PlainCall, run: () => Promise<T>) => betweenFailpoints(call, run);
  /** A lock as Redlock needs it: with its end by the wall clock. */
  function lockOf(id: string, { token, deadlineMs }: Claim): Lock {
    const resource = keys.session(id).lease;
    const endMs = Date.now() + deadlineMs - monotonicMs();
    return new Lock(redlockOf(resource), [resource], token, [], endMs);
  }

  return {
    peek: (id: string, ring: string) =>
      connection.run(scripts.sessionPeek, keys.session(id), {
        id,
        ring,
        ttl: ttlMs,
      }),

    /** Takes the Redlock; undefined: another has it, or Redis failed. The TTL counts from before the request (L4). */
    async acquire(id: string): Promise<Claim | undefined> {
      const sentMs = monotonicMs();
      try {
        const resource = keys.session(id).lease;
        const lock = await between('lease-acquire', () =>
          redlockOf(resource).acquire([resource], ttlMs),
        );
        return { token: lock.value, deadlineMs: sentMs + ttlMs };
      } catch {
        return undefined;
      }
    },

    /** Gives back a Redlock that did not become a lease. */
    async abandon(id: string, claim: Claim): Promise<void> {
      await between('lease-release', async () => lockOf(id, claim).release()).catch(
        () => undefined, // already lost: nothing to give back
      );
    },

    /** Starts the head's turn, as a new lease (with the fence that peek read) or under the one that is held. */
    begin(
      lease: Lease,
      { turnId, ring = '' }: { turnId: string; ring?: string },
    ): Promise<scripts.BeginReply> {
      return connection.run(scripts.turnBegin, keys.session(lease.id), {
        channel: keys.channel(lease.id),
        id: lease.id,
        token: lease.token,
        fence: lease.fence,
        turn_id: turnId,
        node: nodeId,
        ring,
        ttl: ttlMs,
        lease_here: 1,
      });
    },

    /** Extends the lease. Returns until when it holds (monotonic ms), and a reply that may bring an abort. */
    async renew(lease: Lease, deadlineMs: number) {
      const sentMs = monotonicMs();
      const extended = await between('lease-extend', async () =>
        lockOf(lease.id, { token: lease.token, deadlineMs }).extend(ttlMs),
      ).catch(() => undefined);
      // Without the Redlock the lease is not extended, but the end of the session must still be heard (D9).
      const leftMs = Math.max(1, Math.floor(deadlineMs - monotonicMs()));
      const reply = await connection.run(scripts.leaseRenew, keys.session(lease.id), {
        token: lease.token,
        fence: lease.fence,
        id: lease.id,
        ttl: extended ? ttlMs : leftMs,
      });
      return { reply, deadlineMs: extended ? sentMs + ttlMs : deadlineMs };
    },

    /** Logs a batch of stream events; `number` counts the batches of the turn from 1. */
    appendEvents(
      lease: Lease,
      {
        turnId,
        number,
        batch,
      }: { turnId: string; number: number; batch: readonly (readonly string[])[] },
    ) {
      return connection.run(scripts.eventsAppend, keys.session(lease.id), {
        token: lease.token,
        fence: lease.fence,
        channel: keys.channel(lease.id),
        turn_id: turnId,
        number,
        batch: JSON.stringify(batch),
      });
    },

    /** Ends the turn with its outcome, and starts the next one if `end.fetch` says so and a message waits. */
    commit(lease: Lease, end: TurnEnd): Promise<scripts.CommitReply> {
      return connection.run(scripts.turnCommit, keys.session(lease.id), {
        token: lease.token,
        fence: lease.fence,
        channel: keys.channel(lease.id),
        id: lease.id,
        turn_id: end.turnId,
        next_turn_id: end.nextTurnId,
        fetch: end.fetch ? 1 : 0,
        status: end.status,
        reason: end.reason,
        content: end.content,
        usage: end.usage,
        trailing: JSON.stringify(end.trailing),
      });
    },

    /**
     * Gives the lease up. `yield`: other sessions go first; `hand_over`: another node goes on at once; `force`: the
     * same, and the drain has cut the turn.
     */
    release(
      lease: Lease,
      how: 'yield' | 'hand_over' | 'force',
      reason = '',
    ): Promise<scripts.ReleaseReply> {
      return connection.run(scripts.turnRelease, keys.session(lease.id), {
        token: lease.token,
        fence: lease.fence,
        channel: keys.channel(lease.id),
        id: lease.id,
        node: nodeId,
        how,
        lease_here: 1,
        reason,
      });
    },

    /** Ends an attempt that will be tried again: the head waits, and the lease is given up (T5). */
    retry(
      lease: Lease,
      { turnId, how, delayMs, retryForMs }: Retry,
    ): Promise<scripts.TurnRetryReply> {
      return connection.run(scripts.turnRetry, keys.session(lease.id), {
        token: lease.token,
        fence: lease.fence,
        id: lease.id,
        turn_id: turnId,
        lease_here: 1,
        how,
        delay: Math.round(delayMs),
        retry_for: retryForMs,
      });
    },

    /** A new number for a ring that must wait or go elsewhere; '' when no work is left, or it is paused. */
    drawRing: (id: string, delayMs: number) =>
      connection.run(scripts.ringDraw, keys.session(id), {
        id,
        delay: delayMs,
        call: makeId('draw'), // made before the first try: a repeat gets the same number
      }),

    /** The newest lines of the history list that fit `maxBytes`, oldest first; only the holder calls it. */
    history(id: string, maxBytes: number): Promise<string[]> {
      // An owner of its own: reads of the principal do not delay the session's turns, nor the other way round.
      return bulk.run(`${id} turn`, (connection) =>
        connection.run(scripts.historyRead, keys.session(id), { max_bytes: maxBytes }),
      );
    },
  };
}
