import { randomUUID } from 'node:crypto';
import { type ClientOptions, WebSocket } from 'ws';
import { stopLater } from '../base/cleanup.js';
import { checkFrame } from './frame-check.js';
import { type Frame, type FrameMatch, loggedFrame, parseFrame, toPredicate } from './frames.js';
import { keepContent, keepSecret, keepSecretsOf } from './log-search.js';

export type ConnectOptions = {
  /** Sent as `Authorization: Bearer`. */
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly protocols?: readonly string[];
  readonly origin?: string;
  /** Gives the connection up, also before it is open. */
  readonly signal?: AbortSignal;
};

/** The server answered the upgrade with something else than 101. */
export class UpgradeRefused extends Error {
  override readonly name = 'UpgradeRefused';
  constructor(
    readonly status: number,
    readonly headers: NodeJS.Dict<string | string[]>,
  ) {
    super(`upgrade refused with status ${status}`);
  }
}

/** The gateway answered `hello` with `hello_error`. */
export class HelloRefused extends Error {
  override readonly name = 'HelloRefused';
  constructor(readonly frame: Frame) {
    super(`hello refused: ${JSON.stringify(frame)}`);
  }
}

export type Closed = { readonly code: number; readonly reason: string };

type Waiter = { readonly look: () => boolean; readonly fail: (error: Error) => void };

/**
 * A WebSocket connection that keeps every frame from the first byte on, so that no test depends on
 * listening in time.
 */
export class FrameClient {
  /** Every frame since the socket opened, in order. */
  readonly frames: Frame[] = [];
  /** Arrival of `frames[i]`, in milliseconds of `performance.now()`. */
  readonly arrivedMs: number[] = [];
  readonly closed: Promise<Closed>;
  readonly #socket: WebSocket;
  readonly #waiters = new Set<Waiter>();
  #closedWith: Closed | undefined;
  #read = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data, isBinary) => {
      this.arrivedMs.push(performance.now());
      const frame = isBinary ? { type: 'binary' } : parseFrame(String(data));
      this.frames.push(frame);
      checkFrame(frame);
      for (const waiter of [...this.#waiters]) waiter.look();
    });
    socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => {
        this.#closedWith = { code, reason: reason.toString() };
        resolve(this.#closedWith);
        for (const waiter of [...this.#waiters]) waiter.fail(this.#missing('socket closed'));
      });
    });
    const forget = stopLater(async () => this.cut());
    socket.once('close', forget);
  }

  /** Resolves when the socket is open; rejects with `UpgradeRefused` or the connection's error. */
  static connect(wsUrl: string, options: ConnectOptions = {}): Promise<FrameClient> {
    const { token, headers, protocols = [], origin } = options;
    keepSecret(token);
    keepSecretsOf(wsUrl, headers, protocols);
    const wsOptions: ClientOptions = {
      headers: { ...(token ? { authorization: `Bearer ${token}` } : {}), ...headers },
      ...(origin ? { origin } : {}),
      handshakeTimeout: 5_000,
      perMessageDeflate: false,
      maxPayload: 256 * 1024 * 1024,
    };
    const socket = new WebSocket(wsUrl, [...protocols], wsOptions);
    const client = new FrameClient(socket);
    options.signal?.addEventListener('abort', () => socket.terminate(), { once: true });
    return new Promise((resolve, reject) => {
      socket.once('open', () => resolve(client));
      socket.once('error', reject);
      socket.once('unexpected-response', (request, response) => {
        reject(new UpgradeRefused(response.statusCode ?? 0, response.headers));
        request.destroy();
      });
    });
  }

  send(frame: unknown): void {
    keepContent(frame);
    this.#socket.send(JSON.stringify(frame));
  }

  /** A text frame from a string, a binary one from a buffer. */
  sendRaw(data: string | Buffer): void {
    this.#socket.send(data);
  }

  /** The next matching frame after the one that `next` returned last; frames in between are skipped. */
  next(match: FrameMatch = () => true, ms = 5_000): Promise<Frame> {
    const matches = toPredicate(match);
    const find = () => {
      const index = this.frames.findIndex((frame, at) => at >= this.#read && matches(frame));
      if (index < 0) return undefined;
      this.#read = index + 1;
      return this.frames[index];
    };
    return this.#until(find, ms);
  }

  /** The first matching frame of all; does not move the position of `next`. */
  waitFor(match: FrameMatch, ms = 5_000): Promise<Frame> {
    const matches = toPredicate(match);
    return this.#until(() => this.frames.find(matches), ms);
  }

  /** The first `count` matching frames of all. */
  collect(count: number, match: FrameMatch = () => true, ms = 10_000): Promise<Frame[]> {
    const matches = toPredicate(match);
    return this.#until(() => {
      const found = this.frames.filter(matches);
      return found.length >= count ? found.slice(0, count) : undefined;
    }, ms);
  }

  /** Attaches; returns `hello_ok` or throws `HelloRefused`. */
  async hello(fields: Readonly<Record<string, unknown>> = {}): Promise<Frame> {
    const from = this.frames.length;
    this.send({ type: 'hello', agent_id: 'echo', ...fields });
    const isAnswer = ({ type }: Frame) => type === 'hello_ok' || type === 'hello_error';
    const answer = await this.#until(() => this.frames.slice(from).find(isAnswer), 5_000);
    if (answer.type === 'hello_error') throw new HelloRefused(answer);
    return answer;
  }

  /** Sends a message and returns its `message_id`, made here unless given. */
  message(content: unknown, fields: Readonly<Record<string, unknown>> = {}): string {
    const given = fields.message_id;
    const id = typeof given === 'string' ? given : `m-${randomUUID()}`;
    this.send({ type: 'message', content, message_id: id, ...fields });
    return id;
  }

  /** The outcome of a message, live or replayed. */
  async final(messageId: string, ms = 10_000): Promise<Frame> {
    const isFinal = (frame: Frame) => frame.status === 'final' && frame.message_id === messageId;
    return this.#until(() => this.logged().find(isFinal), ms);
  }

  /** The events of the log that this connection has seen, in the order in which they came. */
  logged(): Frame[] {
    return this.frames.flatMap((frame) => loggedFrame(frame) ?? []);
  }

  /** Stops reading, so that frames queue at the server: a slow consumer. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Closes with a close frame; resolves when the socket is closed. */
  async close(code = 1000): Promise<Closed> {
    this.#socket.close(code);
    return this.closed;
  }

  /** Destroys the TCP connection without a close frame, as a lost network does. */
  cut(): void {
    this.#socket.terminate();
  }

  #missing(why: string): Error {
    const seen = this.frames.map((frame) => JSON.stringify(frame).slice(0, 200));
    const end = this.#closedWith ? `\nclosed with ${JSON.stringify(this.#closedWith)}` : '';
    const list = seen.slice(-30).join('\n');
    return new Error(`${why}; ${seen.length} frames were seen:\n${list}${end}`);
  }

  #until<T>(find: () => T | undefined, ms: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
      };
      const waiter: Waiter = {
        look: () => {
          const found = find();
          if (found === undefined) return false;
          settle();
          resolve(found);
          return true;
        },
        fail: (error) => {
          settle();
          reject(error);
        },
      };
      const timer = setTimeout(
        () => waiter.fail(this.#missing(`nothing that matches came in ${ms} ms`)),
        ms,
      );
      if (waiter.look()) return;
      if (this.#closedWith) waiter.fail(this.#missing('the socket is closed'));
      else this.#waiters.add(waiter);
    });
  }
}
