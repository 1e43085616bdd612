import type { SessionRef, Sessions, SessionView } from '@sluice/store';
import type { PaidReads } from '../limits/paid-reads.js';
import type { FanOut } from './fan-out.js';
import type { Feed } from './feed.js';
import type { BuiltEvent, FrameSession } from './frames.js';
import type { Reader } from './reader.js';

export type LogReaderOptions = {
  readonly from: number;
  readonly epoch: string;
  /** Most bytes of a snapshot, which comes in place of events that are lost. */
  readonly maxBytes: number;
  take(built: BuiltEvent): void;
  /** The events after the cursor are lost; `view` comes in their place. */
  resynced(view: SessionView): void;
  /** The session does not exist any more. */
  gone(): void;
  /** The log cannot be read: the answer must not look complete. */
  broken(): void;
  writable(): Promise<void>;
};

/** A reader for HTTP: it hands events to functions instead of a socket. */
export class LogReader implements Reader {
  cursor: number;
  epoch: string;
  closed = false;
  private feed: Feed | undefined;

  constructor(
    private readonly ref: SessionRef,
    private readonly deps: {
      readonly sessions: Sessions;
      readonly reads: PaidReads;
      readonly fanOut: FanOut;
    },
    private readonly options: LogReaderOptions,
  ) {
    this.cursor = options.from;
    this.epoch = options.epoch;
  }

  /** Subscribes, then reads from the cursor on; resolves when the reader is live. Throws StoreUnavailable. */
  async start(session: FrameSession): Promise<void> {
    try {
      await this.begin(session);
    } catch (error) {
      this.stop(); // or the session would be followed, and kept from expiring, for nobody
      throw error;
    }
  }

  private async begin(session: FrameSession): Promise<void> {
    const feed = await this.deps.fanOut.acquire(this.ref, session.agentId);
    if (this.closed) return this.deps.fanOut.release(this.ref);
    this.feed = feed;
    // The head is read after the subscription, so that no event between them is missed.
    const place = await this.deps.sessions.place(this.ref);
    if (!place) return this.gone();
    await feed.catchUp(this, { ...place, resync: false });
  }

  stop(): void {
    if (this.closed) return;
    this.closed = true;
    this.feed?.remove(this);
    if (this.feed) this.deps.fanOut.release(this.ref);
  }

  take(built: BuiltEvent): void {
    this.cursor = built.event.seq;
    this.options.take(built);
  }

  skip(seq: number): void {
    this.cursor = seq;
  }

  moveTo(epoch: string): void {
    this.epoch = epoch;
  }

  async resync(): Promise<void> {
    const { maxBytes } = this.options;
    const page = { count: MESSAGES_MAX, maxBytes, inboxBytes: maxBytes };
    const view = await this.deps.reads.read(this.ref, page, { isGone: () => this.closed });
    if (this.closed) return;
    if (!view) return this.gone();
    this.cursor = view.state.event_cursor;
    this.epoch = view.state.epoch;
    this.options.resynced(view);
  }

  gone(): void {
    this.options.gone();
  }

  broken(): void {
    this.options.broken();
  }

  writable(): Promise<void> {
    return this.options.writable();
  }
}

/** Most messages of a snapshot; those that do not fit `max_payload` are left out later. */
const MESSAGES_MAX = 1_000;
