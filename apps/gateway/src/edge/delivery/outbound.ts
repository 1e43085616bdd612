import { closes, type ServerFrame } from '@sluice/protocol';
import type { FrameText, Socket } from '../network/transport.js';

export type OutboundLimits = {
  readonly maxBufferedBytes: number;
  readonly maxQueuedFrames: number;
  /** Called when the socket is closed because it took too little. */
  onSlow(): void;
};

/** How often `writable` looks again, in case the socket reports nothing. */
const LOOK_MS = 100;

/** Most characters for one write: the library gathers no more. */
const TOGETHER_CHARS = 16 * 1024;

/**
 * Frames to one socket, within limits: the first frame that does not fit closes it (E9). The frames of one tick go
 * out in one write.
 */
export class Outbound {
  /** Frames of this tick, and their characters. */
  private together: FrameText[] = [];
  private togetherChars = 0;
  /** Bytes on the wire of each frame that may wait in the socket, oldest first. */
  private readonly queued: number[] = [];
  /** Their sum. */
  private queuedBytes = 0;
  private closing = false;
  private readonly waiters = new Set<() => void>();

  constructor(
    private readonly socket: Socket,
    private readonly limits: OutboundLimits,
  ) {}

  /** False once the socket is closed. After a frame that was missed no later one goes out. */
  send(frame: FrameText): boolean {
    if (this.togetherChars + frame.length > TOGETHER_CHARS) this.flush();
    if (!this.fits(frame)) {
      this.flush();
      if (!this.closing && !this.fits(frame)) this.tooSlow();
    }
    if (this.closing) return false;
    this.together.push(frame);
    this.togetherChars += frame.length;
    if (this.together.length === 1) process.nextTick(() => this.flush());
    return true;
  }

  /** Whether this frame, with what waits in the socket and in this tick, is within the limits. */
  private fits(frame: FrameText): boolean {
    const buffered = this.buffered();
    if (buffered === 0) return true;
    const bytes = buffered + this.togetherChars + bytesOf(frame);
    const frames = this.queued.length + this.together.length;
    return bytes <= this.limits.maxBufferedBytes && frames < this.limits.maxQueuedFrames;
  }

  private flush(): void {
    const frames = this.together;
    if (frames.length === 0 || this.closing) return;
    this.together = [];
    this.togetherChars = 0;
    const sent = this.socket.send(...frames);
    if (sent === 'queued') for (const frame of frames) this.queue(frame);
    if (sent === 'dropped') this.tooSlow();
  }

  json(frame: ServerFrame): boolean {
    if ('code' in frame && frame.code === 'rate_limited') this.socket.wasRefused();
    return this.send(JSON.stringify(frame));
  }

  close(code: number, reason: string): void {
    this.flush();
    if (this.closing) return;
    this.closed();
    this.socket.close(code, reason);
  }

  /** Call when part of what the socket had buffered has gone out. */
  drained(): void {
    if (!this.isFull()) this.wake();
  }

  /** Call when the socket is closed: nothing goes out any more. */
  closed(): void {
    this.closing = true;
    this.together = [];
    this.wake();
  }

  /** Resolves once no more than half of a limit is used, or the socket is closed. It paces replays. */
  async writable(): Promise<void> {
    while (!this.closing && this.isFull()) {
      this.flush();
      if (this.isFull()) await this.wokenWithin(LOOK_MS);
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
    const { maxBufferedBytes, maxQueuedFrames } = this.limits;
    return (
      this.buffered() + this.togetherChars > maxBufferedBytes / 2 ||
      this.queued.length + this.together.length > maxQueuedFrames / 2
    );
  }

  private queue(frame: FrameText): void {
    const bytes = bytesOf(frame);
    const head = bytes < 126 ? 2 : bytes < 65_536 ? 4 : 10; // of a WebSocket frame (RFC 6455, 5.2)
    this.queued.push(bytes + head);
    this.queuedBytes += bytes + head;
  }

  /**
   * Bytes that the socket still has. Frames leave it in order, and it does not report each of them. So those that
   * must have left are struck off here: the socket of a reader that keeps up may never be empty.
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

const bytesOf = (frame: FrameText) =>
  typeof frame === 'string' ? Buffer.byteLength(frame) : frame.length;
