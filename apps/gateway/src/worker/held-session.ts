import type { HistoryMessage } from '@sluice/protocol';
import {
  decodeEntry,
  decodeHistory,
  type HeadReply,
  headOfWake,
  type Lease,
  type Leases,
  readable,
  userMessage,
  type Wake,
} from '@sluice/store';
import type { WorkerLimits } from './context.js';
import type { LeaseKeeper } from './lease-keeper.js';
import type { Whose } from './permits.js';
import type { Stop } from './run-turn.js';

/** Something waits; the lease is to be given up; its Redlock is gone. */
export type EndLinger = 'wake' | 'drain' | 'unlocked';

/** A session whose lease this node has, from `turn-begin` to release. */
export class HeldSession {
  /** Stops the turn that runs now; undefined while none does. */
  stop: AbortController | undefined;
  /** The lease is given up or lost: no turn is started any more, whatever an answer still brings. */
  left = false;
  /** A wake that came while a commit was under way: its reply may not show the message yet. */
  private woken: Wake | undefined;
  /** The head that was committed last. */
  private last: HeadReply | undefined;
  /** Turns since the session was last idle (max_turns_per_lease). */
  turns = 0;
  /** Ends the linger at once; undefined while the session is not lingering. */
  endLinger: ((why: EndLinger) => void) | undefined;
  private history: HistoryMessage[] | undefined;
  private historyBytes = 0;

  constructor(
    readonly lease: Lease,
    readonly keeper: LeaseKeeper,
    private readonly options: {
      /** Who is counted for its turns. */
      readonly whose: Whose;
      readonly limits: Pick<WorkerLimits, 'maxMessages' | 'maxLogBytes'>;
    },
  ) {
    keeper.lost.addEventListener('abort', () => this.stopTurn({ kind: 'lost' }), { once: true });
  }

  get whose(): Whose {
    return this.options.whose;
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
    this.stop?.abort(stop);
  }

  /**
   * Committed messages, from the newest on as many as the agent takes; read once per lease, since the
   * holder is their only writer.
   */
  async readHistory(
    leases: Leases,
    takenBytes = Number.POSITIVE_INFINITY,
  ): Promise<readonly HistoryMessage[]> {
    if (!this.history) {
      const maxBytes = Math.min(takenBytes, this.options.limits.maxLogBytes);
      const lines = await leases.history(this.lease.id, maxBytes);
      this.history = begun(lines.flatMap(readable(decodeHistory)));
      this.historyBytes = lines.reduce((sum, line) => sum + Buffer.byteLength(line), 0);
    }
    return this.history.slice();
  }

  /** Follows what `turn-commit` wrote. */
  committed(head: HeadReply, reply: HistoryMessage): void {
    this.last = head;
    if (!this.history) return;
    const added = [...head.entries.flatMap(readable(decodeEntry)).map(userMessage), reply];
    for (const message of added) {
      this.history.push(message);
      this.historyBytes += bytesOf(message);
    }
    const { maxMessages, maxLogBytes } = this.options.limits;
    while (
      this.history.length > maxMessages ||
      (this.historyBytes > maxLogBytes && this.history.length > 1)
    ) {
      const [oldest] = this.history.splice(0, 1);
      if (oldest) this.historyBytes -= bytesOf(oldest);
    }
  }
}

/**
 * Without messages that were stopped before their turn began: other nodes write those, also while this one
 * has the lease, so that every holder leaves them out.
 */
function begun(messages: readonly HistoryMessage[]): HistoryMessage[] {
  const stopped = new Set(messages.filter((it) => it.turn_id === '').map((it) => it.message_id));
  return messages.filter((it) => !stopped.has(it.message_id));
}

/** Nearly what its line in Redis takes, which is what is limited there. */
function bytesOf(message: HistoryMessage): number {
  return Buffer.byteLength(JSON.stringify(message));
}
