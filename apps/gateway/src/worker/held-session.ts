import type { HistoryMessage } from '@sluice/protocol';
import { decodeEntry, decodeHistory, type Lease, type Leases, userMessage } from '@sluice/store';
import type { LeaseKeeper } from './lease-keeper.js';
import type { Stop } from './run-turn.js';

/** A session whose lease this node has, from `turn-begin` to release. */
export class HeldSession {
  /** Stops the turn that runs now; undefined while none does. */
  stop: AbortController | undefined;
  /** The lease is given up or lost: no turn is started any more, whatever an answer still brings. */
  left = false;
  /** A wake that came while a commit was under way: its reply may not show the message yet. */
  woken = false;
  /** Turns since the session was last idle (max_turns_per_lease). */
  turns = 0;
  /** Ends the linger at once; undefined while the session is not lingering. */
  endLinger: ((why: 'wake' | 'drain') => void) | undefined;
  private history: HistoryMessage[] | undefined;

  constructor(
    readonly lease: Lease,
    readonly keeper: LeaseKeeper,
    private readonly maxMessages: number,
  ) {
    keeper.lost.addEventListener('abort', () => this.stopTurn({ kind: 'lost' }), { once: true });
  }

  stopTurn(stop: Stop): void {
    if (stop.kind === 'lost' || stop.kind === 'drain') this.left = true;
    this.stop?.abort(stop);
  }

  /** Committed messages, read once per lease: the holder is their only writer. */
  async readHistory(leases: Leases): Promise<readonly HistoryMessage[]> {
    this.history ??= (await leases.history(this.lease.id)).map(decodeHistory);
    return this.history.slice();
  }

  /** Follows what `turn-commit` wrote. */
  committed(entries: readonly string[], reply: HistoryMessage): void {
    if (!this.history) return;
    this.history.push(...entries.map((entry) => userMessage(decodeEntry(entry))), reply);
    this.history = this.history.slice(-this.maxMessages);
  }
}
