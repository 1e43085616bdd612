import type { HistoryMessage } from '@sluice/protocol';
import { monotonicMs } from '@sluice/runtime';
import { type HeadReply, headOfWake, type Lease, type Wake } from '@sluice/store';
import type { Whose } from '../gates/permits.js';
import type { HeldHistory } from './held-history.js';
import type { LeaseKeeper } from './lease-keeper.js';

export type Begun = { readonly kind: 'begun' | 'exhausted'; readonly head: HeadReply };

/**
 * Why a running turn is stopped. `lost` and `drain` leave the message to others; after `append_failed`
 * its buffer throws why.
 */
export type Stop =
  | { readonly kind: 'aborted'; readonly reason: string }
  | { readonly kind: 'timeout' | 'append_failed' }
  | { readonly kind: 'lost' | 'drain' };

/** Something waits; the lease is to be given up; its Redlock is gone. */
export type EndLinger = 'wake' | 'drain' | 'unlocked';

type HeldOptions = {
  /** Who is counted for its turns. */
  readonly whose: Whose;
  readonly history: HeldHistory;
  /** How long the lease is kept for the next message (lease.max_age). */
  readonly maxAgeMs: number;
};

/** A session whose lease this node has, from `turn-begin` to release. */
export class HeldSession {
  /** Stops the turn that runs now; undefined while none does. */
  stop: AbortController | undefined;
  /** The lease is given up or lost: no turn is started any more, whatever an answer still brings. */
  left = false;
  /** A wake that came while a commit was under way: its reply may not show the message yet. */
  private woken: Wake | undefined;
  /** The turn that was committed last, and whose it was. */
  private last: Parameters<typeof headOfWake>[1] | undefined;
  /** What runs next. Nobody else keeps it: a session that lingers holds no message. */
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
    // Not all that were taken at once are given up at once.
    this.oldMs = monotonicMs() + options.maxAgeMs * (0.75 + Math.random() / 2);
    keeper.lost.addEventListener('abort', () => this.stopTurn({ kind: 'lost' }), { once: true });
  }

  get whose(): Whose {
    return this.options.whose;
  }

  get history(): HeldHistory {
    return this.options.history;
  }

  /** It has been here for long: whoever is free gets the next message, a node that was added too. */
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
   * The head that the last wake brought; the wake is answered with it. undefined: Redis is to be asked. The turn
   * may have run already, or belong to another holder by now, which Redis sees at every other start of a turn.
   */
  takeWake(): HeadReply | undefined {
    const { woken, last } = this;
    this.woken = undefined;
    if (woken?.kind !== 'begun' || woken.follows !== last?.turnId) return undefined;
    return this.keeper.isTrusted ? headOfWake(woken, last) : undefined;
  }

  stopTurn(stop: Stop): void {
    if (stop.kind === 'lost' || stop.kind === 'drain') this.left = true;
    // Its turn has not begun to run: the wake knows nothing of this, Redis does.
    if (!this.stop && this.woken) this.woken = { kind: 'plain', id: this.lease.id };
    this.stop?.abort(stop);
  }

  /** Follows what `turn-commit` wrote. */
  committed(head: HeadReply, reply: HistoryMessage): void {
    const { turnId, fence, agent, principal, sessionId } = head;
    this.last = { turnId, fence, agent, principal, sessionId };
    this.history.committed(head, reply);
  }
}
