import type { Durability } from '@sluice/protocol';
import { within } from '@sluice/runtime';
import type { LogEvent, SessionRef } from '@sluice/store';
import type { PaidReads } from '../limits/paid-reads.js';
import type { FrameText } from '../network/transport.js';
import { type BuiltEvent, errorFrame, type FrameSession, withMore } from './frames.js';
import type { Outbound } from './outbound.js';
import type { Reader } from './reader.js';
import { fitSnapshot } from './snapshot.js';

export type SocketReaderOptions = {
  readonly ref: SessionRef;
  readonly session: FrameSession;
  readonly attachId: string;
  /** Replay starts behind it. */
  readonly from: number;
  readonly epoch: string;
  /** Events up to here are sent as `replay`. */
  readonly head: number;
  readonly streaming: boolean;
  /** Deltas are left out of the replay, but those of this message, whose turn has not ended. */
  readonly compactBut: string | undefined;
  readonly outbound: Outbound;
  readonly reads: PaidReads;
  readonly maxPayloadBytes: number;
  readonly maxMessages: number;
  /** What the acknowledgement of a message sent here waits for. */
  readonly durability: Durability;
  onEnded(): void;
  onGone(): void;
};

/** Events that wait behind an answer; more of them, and they wait no longer. */
const HELD_MAX = 1_000;

/**
 * One attached WebSocket as a reader of its session's log. Above durability `memory` the acceptance of a
 * message that was sent here, and what comes behind it, waits until its level is known (S1), as the outcome
 * of one that is cancelled or stopped from here does until that is answered.
 */
export class SocketReader implements Reader {
  cursor: number;
  epoch: string;
  closed = false;
  /** Seq of the last event that went to the socket. */
  handed: number;
  /** Messages sent here whose acceptance was not handed out yet. */
  private readonly own = new Map<string, Durability | 'unknown'>();
  /** Messages being cancelled from here, whose outcome comes behind the answer. */
  private readonly cancelling = new Set<string>();
  /** Aborts under way from here: what they stop at once comes behind the answer. */
  private aborting = 0;
  /** Events that wait, and the seqs of those that are stepped over. */
  private held: (BuiltEvent | number)[] = [];
  private onAllTold: (() => void)[] = [];
  private toldEpoch: string;
  private replayUntil: number;
  private skipped = 0;

  constructor(readonly options: SocketReaderOptions) {
    this.cursor = options.from;
    this.handed = options.from;
    this.epoch = options.epoch;
    this.toldEpoch = options.epoch;
    this.replayUntil = options.head;
  }

  /**
   * A message is being sent here: its acceptance is to be told apart from others. False: it was sent here
   * before, and its acceptance still waits for its level.
   */
  expect(messageId: string): boolean {
    if (this.own.has(messageId)) return false;
    const { durability } = this.options;
    this.own.set(messageId, durability === 'memory' ? durability : 'unknown');
    return true;
  }

  /** What the acceptance of that message may name; undefined: there is none. */
  settle(messageId: string, durability: Durability | undefined): void {
    if (this.closed || !this.own.has(messageId)) return;
    if (durability === undefined) this.told(messageId);
    else this.own.set(messageId, durability);
    this.handHeld();
  }

  /** The acceptance of a message sent here was not handed out yet. */
  get owes(): boolean {
    return this.own.size > 0;
  }

  /** Resolves when it owes no acceptance, at the latest after `limitMs`: a snapshot may have told it. */
  async allTold(limitMs: number): Promise<void> {
    if (!this.owes) return;
    await within(new Promise<void>((resolve) => this.onAllTold.push(resolve)), limitMs);
    this.own.clear();
  }

  private told(messageId: string): boolean {
    const wasOwed = this.own.delete(messageId);
    if (!this.owes) for (const resolve of this.onAllTold.splice(0)) resolve();
    return wasOwed;
  }

  /** The outcome of that message, and what comes behind it, waits until `handOutcome`. */
  holdOutcome(messageId: string): void {
    this.cancelling.add(messageId);
  }

  handOutcome(messageId: string): void {
    this.cancelling.delete(messageId);
    if (!this.closed) this.handHeld();
  }

  /** Outcomes `aborted`, and what comes behind them, wait until `handAborted`. */
  holdAborted(): void {
    this.aborting++;
  }

  handAborted(): void {
    this.aborting = Math.max(0, this.aborting - 1);
    if (!this.closed) this.handHeld();
  }

  take(built: BuiltEvent): void {
    this.cursor = built.event.seq;
    if (this.held.length === 0 && !this.mustWait(built.event)) return this.hand(built);
    this.held.push(built);
    if (this.held.length <= HELD_MAX) return;
    const [first] = this.held;
    const event = typeof first === 'object' ? first.event : undefined;
    if (event?.kind === 'accepted') this.settle(event.messageId, 'memory');
    if (event?.kind !== 'final') return;
    this.aborting = 0;
    this.handOutcome(event.messageId);
  }

  private mustWait(event: LogEvent): boolean {
    if (event.kind === 'final') {
      const isStopped = this.aborting > 0 && event.status === 'aborted';
      return isStopped || this.cancelling.has(event.messageId);
    }
    return event.kind === 'accepted' && this.own.get(event.messageId) === 'unknown';
  }

  private handHeld(): void {
    for (let next = this.held[0]; next !== undefined; next = this.held[0]) {
      if (typeof next === 'object' && this.mustWait(next.event)) return;
      this.held.shift();
      if (typeof next === 'object') this.hand(next);
      else this.stepOver(next);
    }
  }

  skip(seq: number): void {
    this.cursor = seq;
    if (this.held.length > 0) this.held.push(seq);
    else this.stepOver(seq);
  }

  private stepOver(seq: number): void {
    this.handed = seq;
    this.skipped++;
  }

  private hand(built: BuiltEvent): void {
    const { event } = built;
    if (this.isLeftOut(event)) return this.stepOver(event.seq);
    this.handed = event.seq;
    this.options.outbound.send(this.textOf(built));
    if (event.kind === 'accepted' && this.told(event.messageId) && event.position > 0) {
      this.tell(THINKING);
    }
    if (event.kind === 'session_end' && !event.data.continues) this.options.onEnded();
  }

  private isLeftOut(event: LogEvent): boolean {
    if (event.kind !== 'stream') return false;
    const { streaming, compactBut } = this.options;
    if (!streaming) return true;
    if (compactBut === undefined || event.type !== 'token_stream') return false;
    return event.seq <= this.replayUntil && event.messageId !== compactBut;
  }

  /** The shared bytes, unless this connection alone must be told something. */
  private textOf(built: BuiltEvent): FrameText {
    const { event } = built;
    const replayed = event.seq <= this.replayUntil;
    const owed = event.kind === 'accepted' ? this.own.get(event.messageId) : undefined;
    const durability = owed === 'unknown' ? undefined : owed;
    const isTold = event.epoch === this.toldEpoch && this.skipped === 0;
    if (isTold && durability === undefined) return replayed ? built.replayBytes : built.bytes;
    const more = {
      ...(durability === undefined ? {} : { durability }),
      ...(event.epoch === this.toldEpoch ? {} : { epoch: event.epoch }),
      ...(this.skipped === 0 ? {} : { skipped: this.skipped }),
    };
    this.toldEpoch = event.epoch;
    this.skipped = 0;
    return withMore(replayed ? built.replayText : built.text, more);
  }

  /** A `status` frame: not logged. */
  tell(message: string): void {
    this.options.outbound.json({ type: 'status', source: this.options.session.agentId, message });
  }

  moveTo(epoch: string): void {
    this.epoch = epoch;
  }

  async resync(): Promise<void> {
    const { reads, ref, maxMessages, maxPayloadBytes, outbound } = this.options;
    // No more than the frame may hold.
    const page = { count: maxMessages, maxBytes: maxPayloadBytes, inboxBytes: maxPayloadBytes };
    const view = await reads.read(ref, page, { isGone: () => this.closed });
    if (this.closed) return;
    if (!view) return this.gone();
    const state = fitSnapshot(view, maxPayloadBytes);
    outbound.json({ type: 'snapshot', state });
    this.cursor = state.event_cursor;
    this.handed = this.cursor;
    this.held = [];
    this.epoch = state.epoch;
    this.toldEpoch = state.epoch;
    this.skipped = 0;
    this.replayUntil = 0;
  }

  gone(): void {
    this.options.onGone();
  }

  broken(): void {
    this.options.outbound.json(errorFrame('internal', UNREADABLE));
    this.options.onGone();
  }

  writable(): Promise<void> {
    return this.options.outbound.writable();
  }
}

const UNREADABLE =
  'the log of this session cannot be read: its operator finds the reason in the log of the gateway';
const THINKING = "Thinking... (I've added your new message to the queue to process next).";
