import { closes } from '@sluice/protocol';
import { type Logger, monotonicMs, randomText } from '@sluice/runtime';
import type { Identity } from '../access/identity.js';
import type { FramePace } from '../limits/frame-pace.js';
import type { UnsentShare } from '../limits/unsent.js';
import type { FrameText, Socket, SocketEvents } from './transport.js';

/** The part of a uWebSockets.js WebSocket that a socket needs. Every call after its close throws. */
export type RawSocket = {
  send(message: FrameText, isBinary?: boolean): number;
  /** What `run` sends goes out in one write, after it has returned. */
  cork(run: () => void): void;
  getBufferedAmount(): number;
  end(code: number, reason: string): void;
  close(): void;
  ping(): number;
};

/** What the library's `send` returns. */
const [QUEUED, SENT, DROPPED] = [0, 1, 2];
/** How long a peer may take to read what is buffered before its close (E9). */
const CLOSE_GRACE_MS = 2_000;
/** RFC 6455, 7.4.1: the server met an unexpected condition. */
const INTERNAL_ERROR_CODE = 1011;
/** A peer that floods and has more than this unread is cut: it would not read its close either. */
const FLOOD_UNREAD_MAX = 64 * 1024;
const TOO_MANY_FRAMES = 'This connection sends more frames than it may; send them more slowly.';
const CROWDED =
  'The connections of this principal together send more frames than they may; send it again later.';
/** A close frame has 125 bytes of payload, two of them for the code (RFC 6455, 5.5). */
const REASON_BYTES_MAX = 123;

/** The longest start of `reason` that fits a close frame, cut between characters. */
export function closeReason(reason: string): string {
  const bytes = Buffer.from(reason);
  if (bytes.length <= REASON_BYTES_MAX) return bytes.toString();
  return new TextDecoder().decode(bytes.subarray(0, REASON_BYTES_MAX), { stream: true });
}

export type SocketContext = {
  readonly identity: Identity;
  readonly remoteAddress: string;
  readonly traceparent: string;
  readonly events: SocketEvents;
  readonly sockets: Set<LiveSocket>;
  readonly maxPayloadBytes: number;
  readonly pace: FramePace;
  /** Counts what waits for the peer. */
  readonly share: UnsentShare;
  /** See ServerOptions: true closes the connection with a code, false cuts it. */
  onFlood(): boolean;
  readonly log: Logger;
};

/**
 * One WebSocket.
 *
 *     open --close, nothing buffered--------------------> closed
 *     open --close, something buffered--> closing ------> closed   (drained, 2 s over, or gone)
 *     open --cut, or the peer went----------------------> closed
 *
 * The event `closed` is sent on leaving `open`; no event follows it.
 */
export class LiveSocket implements Socket {
  readonly id = randomText(16);
  readonly identity: Identity;
  readonly remoteAddress: string;
  readonly traceparent: string;
  /** Moved ahead by the liveness scan after a stall of this process. */
  lastInboundMs = monotonicMs();
  nextPingMs = 0;
  hasGreeted = false;
  #awaitsPong = false;
  readonly #raw: RawSocket;
  readonly #context: SocketContext;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #closing: { code: number; reason: string; timer: NodeJS.Timeout } | undefined;

  constructor(raw: RawSocket, context: SocketContext) {
    this.#raw = raw;
    this.#context = context;
    this.identity = context.identity;
    this.remoteAddress = context.remoteAddress;
    this.traceparent = context.traceparent;
    context.sockets.add(this);
    this.#tell((events) => events.open(this));
  }

  send(...frames: readonly FrameText[]): 'sent' | 'queued' | 'dropped' | 'closed' {
    if (this.#state !== 'open') return 'closed';
    const result = this.#sendAll(frames);
    // Counted unless all was sent and nothing waited before: then nothing waits.
    if ((result !== SENT || this.#context.share.bytes > 0) && !this.#count()) return 'dropped';
    return result === SENT ? 'sent' : result === DROPPED ? 'dropped' : 'queued';
  }

  /** Returns what the library returns for one `send`. */
  #sendAll(frames: readonly FrameText[]): number {
    const [only] = frames;
    if (frames.length === 1 && only !== undefined) return this.#raw.send(only, false);
    let isDropped = false;
    this.#raw.cork(() => {
      isDropped = frames.some((frame) => this.#raw.send(frame, false) === DROPPED);
    });
    if (isDropped) return DROPPED;
    return this.#raw.getBufferedAmount() === 0 ? SENT : QUEUED;
  }

  bufferedBytes(): number {
    return this.#state === 'open' ? this.#raw.getBufferedAmount() : 0;
  }

  /** Counts what waits for the peer. False: the node or this principal keeps too much, and this connection must go. */
  #count(): boolean {
    return this.#context.share.set(this.#raw.getBufferedAmount());
  }

  ping(): void {
    if (this.#state !== 'open') return;
    this.#awaitsPong = true;
    this.#raw.ping();
  }

  close(code: number, reason: string): void {
    if (this.#state !== 'open') return;
    const text = closeReason(reason);
    if (this.#raw.getBufferedAmount() === 0) {
      this.#leave('closed');
      this.#raw.end(code, text);
      return;
    }
    // After its `end` the library cannot cut a socket any more: so `end` is called last.
    const timer = setTimeout(() => this.#raw.close(), CLOSE_GRACE_MS);
    this.#closing = { code, reason: text, timer };
    this.#leave('closing');
  }

  cut(): void {
    if (this.#state === 'closed') return;
    this.#leave('closed');
    this.#raw.close();
  }

  /** From the library: a message came. Its buffer is valid only during this call. */
  arrived(message: ArrayBuffer, isBinary: boolean): void {
    if (!this.#mayRead(message.byteLength)) return;
    this.#heard();
    const { maxPayloadBytes } = this.#context;
    if (isBinary) {
      this.#tell((events) => events.refused(this, 'invalid_frame', 'Binary frames are not read.'));
    } else if (message.byteLength > maxPayloadBytes) {
      const text = `A frame has at most ${maxPayloadBytes} bytes.`;
      this.#tell((events) => events.refused(this, 'payload_too_large', text));
    } else {
      const text = Buffer.from(message).toString('utf8');
      this.#tell((events) => events.message(this, text));
    }
  }

  /** From the library: a ping or a pong of the WebSocket itself. A pong that was asked for costs nothing. */
  heard(what: 'ping' | 'pong'): void {
    const isAnswer = what === 'pong' && this.#awaitsPong && this.#state === 'open';
    if (isAnswer) this.#awaitsPong = false;
    if (isAnswer || this.#mayRead(0)) this.#heard();
  }

  saidHello(): void {
    this.hasGreeted = true;
    this.#context.pace.saidHello();
  }

  wasRefused(): void {
    this.#context.pace.wasRefused();
  }

  #heard(): void {
    this.lastInboundMs = monotonicMs();
    this.#tell((events) => events.inbound(this));
  }

  /** Whether the pace allows this frame. A connection that is over its limits is closed without grace. */
  #mayRead(bytes: number): boolean {
    if (this.#state !== 'open') return false;
    const paced = this.#context.pace.take(bytes);
    if (paced === 'ok') return true;
    if (paced !== 'over') {
      const text = paced === 'crowded' ? CROWDED : TOO_MANY_FRAMES;
      this.#tell((events) => events.refused(this, 'rate_limited', text));
      return false;
    }
    const isTold = this.#context.onFlood();
    if (!isTold || this.#raw.getBufferedAmount() > FLOOD_UNREAD_MAX) this.cut();
    else {
      this.#leave('closed');
      this.#raw.end(closes.tooManyFrames.code, closes.tooManyFrames.reason);
    }
    return false;
  }

  /**
   * From the library: part of what was buffered has gone out. The event is sent after this call. If a frame of 16 KiB
   * or more is sent within it and goes out in part, the library keeps the rest, but no longer waits for the socket to
   * become writable (us_socket_write2 does not set last_write_failed).
   */
  drained(): void {
    setImmediate(() => this.#goOn());
  }

  #goOn(): void {
    if (this.#state !== 'closed') this.#count();
    if (this.#state === 'open') this.#tell((events) => events.drained(this));
    if (this.#closing === undefined || this.#raw.getBufferedAmount() > 0) return;
    const { code, reason } = this.#closing;
    this.#leave('closed');
    this.#raw.end(code, reason);
  }

  /** From the library: the connection is over. */
  gone(): void {
    this.#leave('closed');
  }

  #leave(next: 'closing' | 'closed'): void {
    const wasOpen = this.#state === 'open';
    if (next === 'closed') {
      this.#context.share.set(0);
      clearTimeout(this.#closing?.timer);
      this.#closing = undefined;
    }
    this.#state = next;
    if (!wasOpen) return;
    this.#context.sockets.delete(this);
    this.#tell((events) => events.closed(this));
  }

  /** Sends an event. A bug in its listener ends this connection, never the node (X4). */
  #tell(tell: (events: SocketEvents) => void): void {
    try {
      tell(this.#context.events);
    } catch (err) {
      this.#context.log.error({ err, connection: this.id }, 'a socket event failed');
      this.close(INTERNAL_ERROR_CODE, 'internal');
    }
  }
}
