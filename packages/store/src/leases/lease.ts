import { makeId, monotonicMs } from '@sluice/runtime';
import type { Keys } from '../keys/keys.js';
import type { Claim, Locks } from '../locks/locks.js';
import type { BulkReads } from '../reads/bulk-reads.js';
import type { Connection } from '../redis/connect.js';
import * as scripts from '../script/scripts.js';

/** What every write under a lease presents (L3). */
export type Lease = {
  readonly id: string;
  readonly token: string;
  readonly fence: number;
};

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
  readonly locks: Locks;
};

/** Taking a session's lease (its Redlock), and every write under it. Throws StoreUnavailable. */
export function makeLeases(
  connection: Connection,
  keys: Keys,
  { bulk, nodeId, ttlMs, locks }: LeaseOptions,
) {
  /** With a quorum no script gives the Redlock back. This does, after each that ends a lease, before any ring. */
  const unlock = async ({ id, token }: Lease, reply: { readonly kind: string }) => {
    if (locks.where === 'here') return;
    if (['released', 'handed', 'waiting'].includes(reply.kind))
      await locks.releaseAll([{ id, token }]);
  };

  return {
    peek: (id: string, ring: string) =>
      connection.run(scripts.sessionPeek, keys.session(id), {
        id,
        ring,
        ttl: ttlMs,
      }),

    /** Whether the Redlock is at a quorum: it may be lost while the data Redis answers. */
    hasQuorum: locks.where === 'quorum',

    /** Takes the Redlock; undefined: another has it, or Redis failed. Throws NoMajority. */
    acquire: (id: string): Promise<Claim | undefined> => locks.acquire(id),

    /** Gives back a Redlock that did not become a lease. */
    abandon: (id: string, claim: Claim): Promise<void> => locks.abandon(id, claim),

    /** Gives back the Redlock of a lease that was lost or ended, where no script does it. */
    async forget({ id, token }: Lease): Promise<void> {
      if (locks.where === 'quorum') await locks.releaseAll([{ id, token }]);
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
        redlock: locks.where,
      });
    },

    /** Extends the lease. Returns until when it holds (monotonic ms), and a reply that may bring an abort. */
    async renew(lease: Lease, deadlineMs: number) {
      const { id, token } = lease;
      const extendedMs = await locks.extend(id, { token, deadlineMs });
      // Without the Redlock the lease is not extended, but the end of the session must still be heard (D9).
      const leftMs = Math.max(1, Math.floor(deadlineMs - monotonicMs()));
      const reply = await connection.run(scripts.leaseRenew, keys.session(id), {
        token,
        fence: lease.fence,
        id,
        ttl: extendedMs === undefined ? leftMs : ttlMs,
      });
      return { reply, deadlineMs: extendedMs ?? deadlineMs };
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
     * same, and the drain has cut the turn; `lost`: no majority of the quorum renewed the Redlock, which cut it.
     */
    async release(
      lease: Lease,
      how: 'yield' | 'hand_over' | 'force' | 'lost',
      reason = '',
    ): Promise<scripts.ReleaseReply> {
      const reply = await connection.run(scripts.turnRelease, keys.session(lease.id), {
        token: lease.token,
        fence: lease.fence,
        channel: keys.channel(lease.id),
        id: lease.id,
        node: nodeId,
        how,
        reason,
      });
      await unlock(lease, reply);
      return reply;
    },

    /** Ends an attempt that will be tried again: the head waits, and the lease is given up (T5). */
    async retry(
      lease: Lease,
      { turnId, how, delayMs, retryForMs }: Retry,
    ): Promise<scripts.TurnRetryReply> {
      const reply = await connection.run(scripts.turnRetry, keys.session(lease.id), {
        token: lease.token,
        fence: lease.fence,
        id: lease.id,
        turn_id: turnId,
        how,
        delay: Math.round(delayMs),
        retry_for: retryForMs,
      });
      await unlock(lease, reply);
      return reply;
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
