import { once } from 'node:events';
import { WebSocket } from 'ws';

type Frame = { readonly type?: string; readonly [field: string]: unknown };

export type VersionOneOptions = {
  readonly wsUrl: string;
  readonly token: string;
  readonly agentId: string;
  /** `join` is the older of the two ways in. */
  readonly entry: 'hello' | 'join';
};

/** Pause before a new connection, long enough to miss events. */
const reconnectMs = 300;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const objectOf = (value: unknown): Record<string, unknown> => (isObject(value) ? value : {});

/**
 * A client as it was written for version 1 alone: it knows no epoch, no message ids, no capability except
 * `streaming`, and ignores every frame and field that it does not know. Its cursor moves only on `replay`
 * frames. It shares no code with the gateway or with the other clients of the tests.
 */
export class VersionOneClient {
  /** Contents of the replies, by the number of their event: a reply may come twice. */
  readonly replies = new Map<number, string>();
  readonly streamed: string[] = [];
  readonly statuses: string[] = [];
  /** Frames after which a client of version 1 gives up. */
  readonly fatal: Frame[] = [];
  /** Frames that entered a session: `hello_ok` or `joined`. */
  readonly entered: Frame[] = [];
  accepted = 0;
  pongs = 0;
  sessionId: string | undefined;
  cursor: number | undefined;
  #socket: WebSocket | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #isOver = false;
  #maxPayload = 0;

  constructor(private readonly options: VersionOneOptions) {}

  /** Connects, and again whenever the connection ends, until `leave` is called. */
  async run(): Promise<void> {
    while (!this.#isOver) {
      await this.#connection().catch(() => undefined);
      clearInterval(this.#heartbeat);
      if (!this.#isOver) await new Promise((resolve) => setTimeout(resolve, reconnectMs));
    }
  }

  get isOpen(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN && this.entered.length > 0;
  }

  /** A message without an id, in the field that version 1 uses. */
  say(content: string): void {
    const frame = JSON.stringify({ type: 'message', content });
    if (frame.length > this.#maxPayload) throw new Error('larger than policy.max_payload');
    this.#socket?.send(frame);
  }

  /** Loses the connection. */
  cut(): void {
    this.#socket?.terminate();
  }

  leave(): void {
    this.#isOver = true;
    this.#socket?.terminate();
  }

  async #connection(): Promise<void> {
    const { wsUrl, token } = this.options;
    const socket = new WebSocket(`${wsUrl}?token=${encodeURIComponent(token)}`);
    this.#socket = socket;
    socket.on('error', () => undefined); // `close` follows
    socket.on('open', () => socket.send(JSON.stringify(this.#greeting())));
    socket.on('message', (data) => this.#take(JSON.parse(String(data)) as Frame));
    await once(socket, 'close');
  }

  #greeting(): Frame {
    const { agentId: agent_id, entry } = this.options;
    const session = {
      agent_id,
      ...(this.sessionId === undefined ? {} : { session_id: this.sessionId }),
      ...(this.cursor === undefined ? {} : { since: this.cursor }),
    };
    if (entry === 'join') return { type: 'join', ...session, min_version: 1, max_version: 1 };
    const capabilities = ['streaming', 'ack', 'presence'];
    return { type: 'hello', ...session, protocol_min: 1, protocol_max: 1, capabilities };
  }

  #take(frame: Frame): void {
    switch (frame.type) {
      case 'hello_ok':
      case 'joined':
        return this.#enter(frame);
      case 'replay': {
        const { data, sequence } = objectOf(frame.event);
        const first = objectOf(data);
        this.cursor = Number(first.cursor);
        return this.#event(first, Number(sequence));
      }
      case 'hello_error':
      case 'error':
        this.fatal.push(frame);
        return;
      case 'status':
        this.statuses.push(String(frame.message));
        return;
      case 'pong':
        this.pongs += 1;
        return;
      case 'ping':
        this.#socket?.send('{"type":"pong"}');
        return;
      default:
        return this.#event(frame, Number(frame.cursor));
    }
  }

  #enter(frame: Frame): void {
    this.entered.push(frame);
    this.sessionId = String(frame.session_id);
    const { max_payload: maxPayload, heartbeat_ms: heartbeatMs } = objectOf(frame.policy);
    this.#maxPayload = Number(maxPayload ?? 1_000_000);
    if (heartbeatMs === undefined) return; // `joined` has no policy: WebSocket pings keep it alive
    this.#heartbeat = setInterval(() => this.#socket?.send('{"type":"ping"}'), Number(heartbeatMs));
  }

  #event(frame: Frame, sequence: number): void {
    if (frame.type === 'token_stream') this.streamed.push(String(objectOf(frame.data).content));
    if (frame.type !== 'response') return;
    if (frame.status === 'accepted') this.accepted += 1;
    if (frame.status === 'final') this.replies.set(sequence, String(frame.content));
  }
}
