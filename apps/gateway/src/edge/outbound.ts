import { closes, type ServerFrame } from '@sluice/protocol';
import type { Socket } from './transport.js';

export type OutboundLimits = {
  readonly maxBufferedBytes: number;
  readonly maxQueuedFrames: number;
  /** The socket is closed since it took too little. */
  onSlow(): void;
};

/** Whoever waits for a reader looks again so often, whether or not the socket tells of it. */
const LOOK_MS = 100;

/** Frames to one socket: bounded; the first frame that does not fit closes it (E9). */
export class Outbound {
  /** Bytes of each frame that waits, on the wire, the oldest first, and their sum. */
  private readonly queued: number[] = [];
  private queuedBytes = 0;
  private closing = false;
  private readonly waiters = new Set<() => void>();

  constructor(
    private readonly socket: Socket,
    private readonly limits: OutboundLimits,
  ) {}

  /** False once nothing can be sent any more: a later frame never goes out after a missed one. */
  send(text: string): boolean {
    if (this.closing) return false;
    const buffered = this.buffered();
    // Characters bound bytes from below; only near the limit it is worth counting them.
    const tooMuch =
      buffered > 0 &&
      (buffered + Buffer.byteLength(text) > this.limits.maxBufferedBytes ||
        this.queued.length >= this.limits.maxQueuedFrames);
    if (tooMuch) {
      this.tooSlow();
      return false;
    }
    const sent = this.socket.send(text);
    if (sent === 'queued') this.queue(text);
    if (sent === 'dropped') this.tooSlow();
    return sent === 'sent' || sent === 'queued';
  }

  json(frame: ServerFrame): boolean {
    return this.send(JSON.stringify(frame));
  }

  close(code: number, reason: string): void {
    if (this.closing) return;
    this.closing = true;
    this.wake();
    this.socket.close(code, reason);
  }

  /** Part of what was buffered went out. */
  drained(): void {
    if (!this.isFull()) this.wake();
  }

  /** The socket is gone. */
  closed(): void {
    this.closing = true;
    this.wake();
  }

  /** Resolves at once unless half of what may be buffered is: replays are paced by it. */
  async writable(): Promise<void> {
    while (!this.closing && this.isFull()) {
      await this.wokenWithin(LOOK_MS);
    }
  }

  private wokenWithin(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.waiters.delete(done); // a reader may be slow for hours
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.waiters.add(done);
    });
  }

  private isFull(): boolean {
    return (
      this.buffered() > this.limits.maxBufferedBytes / 2 ||
      this.queued.length > this.limits.maxQueuedFrames / 2
    );
  }

  private queue(text: string): void {
    const bytes = Buffer.byteLength(text);
    const head = bytes < 126 ? 2 : bytes < 65_536 ? 4 : 10; // RFC 6455, 5.2
    this.queued.push(bytes + head);
    this.queuedBytes += bytes + head;
  }

  /**
   * What the socket still has. Frames leave it in order and nobody is told of each, so that those of which
   * nothing can be left are struck off here: a reader that keeps up may never empty the socket.
   */
  private buffered(): number {
    const bytes = this.socket.bufferedBytes();
    for (let first = this.queued[0]; first !== undefined; first = this.queued[0]) {
      if (this.queuedBytes - first < bytes) break;
      this.queued.shift();
      this.queuedBytes -= first;
    }
    return bytes;
  }

  private tooSlow(): void {
    this.limits.onSlow();
    this.close(closes.slowConsumer.code, closes.slowConsumer.reason);
  }

  private wake(): void {
    for (const waiter of this.waiters) waiter();
  }
}
