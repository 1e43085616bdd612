import type { HistoryMessage } from '@sluice/protocol';
import { monotonicMs } from '@sluice/runtime';
import { type HeadReply, headOfWake, type Lease, type Wake } from '@sluice/store';
import type { TurnOwner } from '../gates/permits.js';
import type { HeldHistory } from './held-history.js';
import type { LeaseKeeper } from './lease-keeper.js';

/** The head that `turn-begin` has started. `exhausted`: it has no attempt left, and becomes a dead letter. */
export type Begun = { readonly kind: 'begun' | 'exhausted'; readonly head: HeadReply };

/**
 * Why a running turn is stopped. `lost` and `drain` leave the message to other holders. After `append_failed` the
 * buffer throws the failure.
 */
export type Stop =
  | { readonly kind: 'aborted'; readonly reason: string }
  | { readonly kind: 'timeout' | 'append_failed' }
  | { readonly kind: 'lost' | 'drain' };

/** `wake`: something waits; `drain`: the lease is to be given up; `unlocked`: its Redlock is gone. */
export type EndLinger = 'wake' | 'drain' | 'unlocked';

type HeldOptions = {
  /** The agent and the principal whose limits its turns count for. */
  readonly whose: TurnOwner;
  readonly history: HeldHistory;
  /** After about this time the lease is not kept for another message (lease.max_age). */
  readonly maxAgeMs: number;
};

/** A session whose lease this node has, from `turn-begin` to release. */
export class HeldSession {
  /** Stops the turn that runs now; undefined: none runs. */
  stop: AbortController | undefined;
  /** The lease is given up or lost: no turn starts any more, even if an answer still brings one. */
  left = false;
  /** Redis has heard that the lease is given up, and its Redlock is gone. */
  isReleased = false;
  /** A wake that came while a commit was under way: its reply may not show the message yet. */
  private woken: Wake | undefined;
  /** The turn that was committed last. */
  private last: Parameters<typeof headOfWake>[1] | undefined;
  /** The turn that runs next. Only kept here, so that a lingering session holds no message in memory. */
  next: Begun | undefined;
  /** Turns since the session was last idle (max_turns_per_lease). */
  turns = 0;
  /** Ends the linger at once; undefined while the session is not lingering. */
  endLinger: ((why: EndLinger) => void) | undefined;
  private readonly oldMs: number;

  constructor(
    readonly lease: Lease,
    readonly keeper: LeaseKeeper,
    private readonly options: HeldOptions,
  ) {
    // Spread, so that leases which were taken together are not given up together.
    this.oldMs = monotonicMs() + options.maxAgeMs * (0.75 + Math.random() / 2);
    keeper.lost.addEventListener('abort', () => this.stopTurn({ kind: 'lost' }), { once: true });
  }

  get whose(): TurnOwner {
    return this.options.whose;
  }

  get history(): HeldHistory {
    return this.options.history;
  }

  /** The lease has been here for long: the next message goes to any free node, for instance one that was added. */
  get isOld(): boolean {
    return monotonicMs() >= this.oldMs;
  }

  takeNext(): Begun | undefined {
    const { next } = this;
    this.next = undefined;
    return next;
  }

  wake(wake: Wake): void {
    this.woken = wake;
    this.endLinger?.('wake');
  }

  get isWoken(): boolean {
    return this.woken !== undefined;
  }

  /**
   * The head that the last wake brought; the wake counts as answered then. undefined: ask Redis, which also sees
   * whether the turn of the wake has run already, or belongs to another holder by now.
   */
  takeWake(): HeadReply | undefined {
    const { woken, last } = this;
    this.woken = undefined;
    if (woken?.kind !== 'begun' || woken.follows !== last?.turnId) return undefined;
    return this.keeper.isTrusted ? headOfWake(woken, last) : undefined;
  }

  stopTurn(stop: Stop): void {
    if (stop.kind === 'lost' || stop.kind === 'drain') this.left = true;
    // The turn of the wake does not run yet: forget its head, since only Redis knows that it is to be stopped.
    if (!this.stop && this.woken) this.woken = { kind: 'plain', id: this.lease.id };
    this.stop?.abort(stop);
  }

  /** Remembers what `turn-commit` has written. */
  committed(head: HeadReply, reply: HistoryMessage): void {
    const { turnId, fence, agent, principal, sessionId } = head;
    this.last = { turnId, fence, agent, principal, sessionId };
    this.history.committed(head, reply);
  }
}
