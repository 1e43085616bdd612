import type { SessionRef, Sessions } from '@sluice/store';
import type { Reader } from './fan-out.js';
import { type BuiltEvent, type FrameSession, replayFrame } from './frames.js';
import type { Outbound } from './outbound.js';
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
  readonly outbound: Outbound;
  readonly sessions: Sessions;
  readonly maxPayloadBytes: number;
  readonly maxMessages: number;
  onEnded(): void;
  onGone(): void;
};

/** One attached WebSocket as a reader of its session's log. */
export class SocketReader implements Reader {
  cursor: number;
  epoch: string;
  closed = false;
  /** Ids of messages sent here whose acceptance was not handed out yet. */
  readonly own = new Set<string>();
  private toldEpoch: string;
  private replayUntil: number;
  private skipped = 0;

  constructor(readonly options: SocketReaderOptions) {
    this.cursor = options.from;
    this.epoch = options.epoch;
    this.toldEpoch = options.epoch;
    this.replayUntil = options.head;
  }

  take(built: BuiltEvent): void {
    const { event } = built;
    this.cursor = event.seq;
    if (event.kind === 'stream' && !this.options.streaming) {
      this.skipped++;
      return;
    }
    this.options.outbound.send(this.textOf(built));
    if (event.kind === 'accepted' && this.own.delete(event.messageId) && event.position > 0) {
      this.tell(THINKING);
    }
    if (event.kind === 'session_end' && !event.data.continues) this.options.onEnded();
  }

  /** The shared text, unless this connection alone must be told something. */
  private textOf(built: BuiltEvent): string {
    const { event } = built;
    const own = event.kind === 'accepted' && this.own.has(event.messageId);
    const replayed = event.seq <= this.replayUntil;
    const more = {
      ...(own ? { durability: 'memory' } : {}),
      ...(event.epoch === this.toldEpoch ? {} : { epoch: event.epoch }),
      ...(this.skipped === 0 ? {} : { skipped: this.skipped }),
    };
    this.toldEpoch = event.epoch;
    this.skipped = 0;
    if (replayed) return JSON.stringify({ ...replayFrame(built, this.options.session), ...more });
    return Object.keys(more).length === 0
      ? built.text
      : JSON.stringify({ ...built.frame, ...more });
  }

  /** A `status` frame: not logged. */
  tell(message: string): void {
    this.options.outbound.json({ type: 'status', source: this.options.session.agentId, message });
  }

  moveTo(epoch: string): void {
    this.epoch = epoch;
  }

  async resync(): Promise<void> {
    const { sessions, ref, maxMessages, maxPayloadBytes, outbound } = this.options;
    const view = await sessions.read(ref, maxMessages);
    if (this.closed) return;
    if (!view) return this.gone();
    const state = fitSnapshot(view.state, maxPayloadBytes);
    outbound.json({ type: 'snapshot', state });
    this.cursor = state.event_cursor;
    this.epoch = state.epoch;
    this.toldEpoch = state.epoch;
    this.skipped = 0;
    this.replayUntil = 0;
  }

  gone(): void {
    this.options.onGone();
  }

  writable(): Promise<void> {
    return this.options.outbound.writable();
  }
}

const THINKING = "Thinking... (I've added your new message to the queue to process next).";
