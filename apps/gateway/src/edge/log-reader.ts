import type { SessionRef, Sessions, SessionView } from '@sluice/store';
import type { FanOut, Feed, Reader } from './fan-out.js';
import type { BuiltEvent, FrameSession } from './frames.js';

export type LogReaderOptions = {
  readonly from: number;
  readonly epoch: string;
  take(built: BuiltEvent): void;
  /** The log behind the cursor is lost; `view` stands in for it. */
  resynced(view: SessionView): void;
  gone(): void;
  writable(): Promise<void>;
};

/** A reader for HTTP: hands events to functions instead of a socket. */
export class LogReader implements Reader {
  cursor: number;
  epoch: string;
  closed = false;
  private feed: Feed | undefined;

  constructor(
    private readonly ref: SessionRef,
    private readonly deps: { readonly sessions: Sessions; readonly fanOut: FanOut },
    private readonly options: LogReaderOptions,
  ) {
    this.cursor = options.from;
    this.epoch = options.epoch;
  }

  /** Subscribes, then reads from the cursor on; resolves when the reader is live. */
  async start(session: FrameSession): Promise<void> {
    try {
      await this.begin(session);
    } catch (error) {
      this.stop(); // else the session would be read, and kept from expiring, for nobody
      throw error;
    }
  }

  private async begin(session: FrameSession): Promise<void> {
    const feed = await this.deps.fanOut.acquire(this.ref, session.agentId);
    if (this.closed) return this.deps.fanOut.release(this.ref);
    this.feed = feed;
    // The head is read after the subscription: nothing between them is missed.
    const page = await this.deps.sessions.log(this.ref, { after: this.cursor, count: 1 });
    if (!page) return this.gone();
    await feed.catchUp(this, page);
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

  moveTo(epoch: string): void {
    this.epoch = epoch;
  }

  async resync(): Promise<void> {
    const view = await this.deps.sessions.read(this.ref, { count: MESSAGES_MAX });
    if (this.closed) return;
    if (!view) return this.gone();
    this.cursor = view.state.event_cursor;
    this.epoch = view.state.epoch;
    this.options.resynced(view);
  }

  gone(): void {
    this.options.gone();
  }

  writable(): Promise<void> {
    return this.options.writable();
  }
}

/** Messages of a snapshot; what does not fit `max_payload` is left out later. */
const MESSAGES_MAX = 1_000;
