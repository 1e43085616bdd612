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
  /** Replay starts after this seq. */
  readonly from: number;
  readonly epoch: string;
  /** Events up to here are sent as `replay`. */
  readonly head: number;
  readonly streaming: boolean;
  /** The replay leaves out deltas, except those of this message, whose turn has not ended; undefined: all are sent. */
  readonly compactBut: string | undefined;
  readonly outbound: Outbound;
  readonly reads: PaidReads;
  readonly maxPayloadBytes: number;
  readonly maxMessages: number;
  /** The level that the acknowledgement of a message sent here waits for. */
  readonly durability: Durability;
  onEnded(): void;
  onGone(): void;
};

/** Most events that are held; beyond it the first of them waits no longer. */
const HELD_MAX = 1_000;

/**
 * One attached WebSocket as a reader of its session's log. It sends events in order, and some of them not before
 * something else is known:
 *
 * - FLOWING (`held` is empty): each event goes to the socket at once. To HOLDING with an event that must wait.
 * - HOLDING: the first event in `held` must wait, and all later ones wait after it. Left
 *   - when that event need not wait any more (`settle`, `handOutcome`, `handAborted`): it is sent with those after it,
 *     up to the next one that must wait;
 *   - when more than HELD_MAX are held: the first one waits no longer;
 *   - with a snapshot, which stands for all of them (`resync`).
 * - CLOSED (`closed`, set by the detach): what is held is never sent.
 *
 * An event must wait (`mustWait`) when it is
 * - the acceptance of a message that was sent here, until its durability is known (S1; `memory` is known at once);
 * - the outcome of a message that is being cancelled from here, until the cancel is answered;
 * - an outcome `aborted`, while an abort from here is not answered yet.
 */
export class SocketReader implements Reader {
  cursor: number;
  epoch: string;
  closed = false;
  /** Seq of the last event that went to the socket, or was left out of it. */
  sentSeq: number;
  /** Messages sent here whose acceptance was not sent yet, with the durability that it will name. */
  private readonly unacked = new Map<string, Durability | 'unknown'>();
  /** Messages being cancelled from here. */
  private readonly cancelling = new Set<string>();
  /** Aborts from here that are not answered yet. */
  private aborting = 0;
  /** Events that wait; a number is the seq of one that this release cannot read. */
  private held: (BuiltEvent | number)[] = [];
  private onAllAcked: (() => void)[] = [];
  /** The epoch that the client knows. */
  private sentEpoch: string;
  private replayUntil: number;
  /** Events left out since the last frame that was sent. */
  private skipped = 0;

  constructor(readonly options: SocketReaderOptions) {
    this.cursor = options.from;
    this.sentSeq = options.from;
    this.epoch = options.epoch;
    this.sentEpoch = options.epoch;
    this.replayUntil = options.head;
  }

  /**
   * A message is being sent here: its acceptance gets what those of other connections lack. False: it was sent
   * here before, and that acceptance was not sent yet.
   */
  expect(messageId: string): boolean {
    if (this.unacked.has(messageId)) return false;
    const { durability } = this.options;
    this.unacked.set(messageId, durability === 'memory' ? durability : 'unknown');
    return true;
  }

  /** The durability that the acceptance names from now on; undefined: the message was not accepted. */
  settle(messageId: string, durability: Durability | undefined): void {
    if (this.closed || !this.unacked.has(messageId)) return;
    if (durability === undefined) this.acked(messageId);
    else this.unacked.set(messageId, durability);
    this.sendHeld();
  }

  /** Whether the acceptance of a message sent here is still to be sent. */
  get owesAck(): boolean {
    return this.unacked.size > 0;
  }

  /** Resolves when every acceptance was sent; a snapshot may stand for one, hence the limit of `limitMs`. */
  async allAcked(limitMs: number): Promise<void> {
    if (!this.owesAck) return;
    await within(new Promise<void>((resolve) => this.onAllAcked.push(resolve)), limitMs);
    this.unacked.clear();
    if (!this.closed) this.sendHeld(); // nothing else would, when what comes next is refused
  }

  /** Returns whether the message was sent here. */
  private acked(messageId: string): boolean {
    const wasOwed = this.unacked.delete(messageId);
    if (!this.owesAck) for (const resolve of this.onAllAcked.splice(0)) resolve();
    return wasOwed;
  }

  /** The outcome of that message waits until `handOutcome`. */
  holdOutcome(messageId: string): void {
    this.cancelling.add(messageId);
  }

  handOutcome(messageId: string): void {
    this.cancelling.delete(messageId);
    if (!this.closed) this.sendHeld();
  }

  /** Outcomes `aborted` wait until `handAborted`, which is called once for each of these calls. */
  holdAborted(): void {
    this.aborting++;
  }

  handAborted(): void {
    this.aborting = Math.max(0, this.aborting - 1);
    if (!this.closed) this.sendHeld();
  }

  take(built: BuiltEvent): void {
    this.cursor = built.event.seq;
    if (this.held.length === 0 && !this.mustWait(built.event)) return this.send(built);
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
    return event.kind === 'accepted' && this.unacked.get(event.messageId) === 'unknown';
  }

  private sendHeld(): void {
    for (let next = this.held[0]; next !== undefined; next = this.held[0]) {
      if (typeof next === 'object' && this.mustWait(next.event)) return;
      this.held.shift();
      if (typeof next === 'object') this.send(next);
      else this.stepOver(next);
    }
  }

  skip(seq: number): void {
    this.cursor = seq;
    if (this.held.length > 0) this.held.push(seq);
    else this.stepOver(seq);
  }

  private stepOver(seq: number): void {
    this.sentSeq = seq;
    this.skipped++;
  }

  private send(built: BuiltEvent): void {
    const { event } = built;
    if (this.isLeftOut(event)) return this.stepOver(event.seq);
    this.sentSeq = event.seq;
    this.options.outbound.send(this.textOf(built));
    if (event.kind === 'accepted' && this.acked(event.messageId) && event.position > 0) {
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

  /** The bytes that all connections share, unless this one needs fields of its own. */
  private textOf(built: BuiltEvent): FrameText {
    const { event } = built;
    const replayed = event.seq <= this.replayUntil;
    const level = event.kind === 'accepted' ? this.unacked.get(event.messageId) : undefined;
    const durability = level === 'unknown' ? undefined : level;
    const isPlain = event.epoch === this.sentEpoch && this.skipped === 0;
    if (isPlain && durability === undefined) return replayed ? built.replayBytes : built.bytes;
    const more = {
      ...(durability === undefined ? {} : { durability }),
      ...(event.epoch === this.sentEpoch ? {} : { epoch: event.epoch }),
      ...(this.skipped === 0 ? {} : { skipped: this.skipped }),
    };
    this.sentEpoch = event.epoch;
    this.skipped = 0;
    return withMore(replayed ? built.replayText : built.text, more);
  }

  /** Sends a `status` frame, which is not in the log. */
  tell(message: string): void {
    this.options.outbound.json({ type: 'status', source: this.options.session.agentId, message });
  }

  moveTo(epoch: string): void {
    this.epoch = epoch;
  }

  async resync(): Promise<void> {
    const { reads, ref, maxMessages, maxPayloadBytes, outbound } = this.options;
    // No more is read than the frame may hold.
    const page = { count: maxMessages, maxBytes: maxPayloadBytes, inboxBytes: maxPayloadBytes };
    const view = await reads.read(ref, page, { isGone: () => this.closed });
    if (this.closed) return;
    if (!view) return this.gone();
    const state = fitSnapshot(view, maxPayloadBytes);
    outbound.json({ type: 'snapshot', state });
    this.cursor = state.event_cursor;
    this.sentSeq = this.cursor;
    this.held = [];
    this.epoch = state.epoch;
    this.sentEpoch = state.epoch;
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
