import { once } from 'node:events';
import { within } from '@sluice/runtime';
import { WebSocket } from 'ws';

/** One frame answers each frame that is sent; these may come at any time besides. */
const unasked = new Set(['status', 'session_end', 'ping', 'going_away', 'stream_end']);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

function parse(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

/** Frames that the gateway need not answer. */
const isPong = (frame: string | Buffer) =>
  typeof frame === 'string' && parse(frame).type === 'pong';

const answerMs = 10_000;

/** Sends one frame after another, each when the last one was answered or closed the connection. */
export class ProbingClient {
  /** How often each kind of answer came: the code of an error, else the type. */
  readonly answers = new Map<string, number>();
  closes = 0;
  #socket: WebSocket | undefined;
  #answered: (() => void) | undefined;

  constructor(
    private readonly wsUrl: string,
    /** A session of its own: no events of others come. */
    private readonly sessionId: string,
  ) {}

  async #open(): Promise<WebSocket> {
    if (this.#socket?.readyState === WebSocket.OPEN) return this.#socket;
    const socket = new WebSocket(this.wsUrl, { perMessageDeflate: false });
    socket.on('error', () => undefined);
    socket.on('message', (data) => this.#take(parse(String(data))));
    socket.on('close', () => {
      this.closes += 1;
      this.#answered?.();
    });
    await once(socket, 'open');
    this.#socket = socket;
    const hello = { type: 'hello', agent_id: 'echo', session_id: this.sessionId, since: 0 };
    await this.#exchange(socket, JSON.stringify(hello));
    return socket;
  }

  #take(frame: Record<string, unknown>): void {
    const { type, status, code } = frame;
    if (unasked.has(String(type)) || status === 'final' || type === 'replay') return;
    const what = String(code ?? status ?? type);
    this.answers.set(what, (this.answers.get(what) ?? 0) + 1);
    this.#answered?.();
  }

  async #exchange(socket: WebSocket, frame: string | Buffer): Promise<void> {
    const answered = new Promise<true>((resolve) => {
      this.#answered = () => resolve(true);
    });
    socket.send(frame);
    if (!(await within(answered, answerMs))) {
      throw new Error(`no answer within ${answerMs} ms to ${JSON.stringify(String(frame))}`);
    }
  }

  /** Resolves when the frame was answered or closed the connection; rejects when neither happens. */
  async probe(frame: string | Buffer): Promise<void> {
    const socket = await this.#open();
    await this.#exchange(socket, isPong(frame) ? '{"type":"ping"}' : frame);
  }

  async close(): Promise<void> {
    const socket = this.#socket;
    if (socket === undefined || socket.readyState === WebSocket.CLOSED) return;
    socket.close();
    await once(socket, 'close');
  }
}
