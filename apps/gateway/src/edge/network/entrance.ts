import { closes } from '@sluice/protocol';
import { monotonicMs } from '@sluice/runtime';
import { admit, noRoom, type Refusal, type UpgradeRequest } from '../access/admit.js';
import type { Holder } from '../limits/unfinished.js';
import { closeReason, LiveSocket, type RawSocket } from './socket.js';
import type { ServerOptions } from './transport.js';

/** Suggested delay before a client comes back to a full node. */
const NO_ROOM_RETRY_MS = 5_000;
/** The same, when too many clients wait to be admitted. */
const UNDECIDED_RETRY_MS = 1_000;
/** Frames that a client may send before it is admitted: some send their `hello` and more without waiting. */
const EARLY_FRAMES_MAX = 64;
/** Sockets that wait to be admitted: more than one address may open in the 3 s that an issuer of keys may take. */
const UNDECIDED_MAX = 1_000;
/** For all such sockets together: it is not known yet whose they are. */
const EARLY_BYTES_MAX = 16 * 2 ** 20;

/** The sockets of a node that wait to be admitted, and what it keeps for them. */
export type Undecided = { sockets: number; bytes: number };

type Frame = { readonly message: ArrayBuffer; readonly isBinary: boolean };

/**
 * A WebSocket that is open before it is admitted. Credentials and rates may need an answer from elsewhere, but the
 * library upgrades a request only in the call that brought it. What the client sends meanwhile waits, in order and
 * bounded.
 */
export class Entrance implements Holder {
  readonly openedMs = monotonicMs();
  readonly #raw: RawSocket;
  readonly #options: ServerOptions;
  readonly #undecided: Undecided;
  #early: Frame[] = [];
  #earlyBytes = 0;
  /** Pings and pongs of the WebSocket itself are not kept, but count too. */
  #earlyFrames = 0;
  #socket: LiveSocket | undefined;
  #isOver = false;

  constructor(raw: RawSocket, options: ServerOptions, undecided: Undecided) {
    this.#raw = raw;
    this.#options = options;
    this.#undecided = undecided;
  }

  /** Admits the client, and adds its socket to `sockets`, or turns it away. Never throws. */
  async decide(request: UpgradeRequest, sockets: Set<LiveSocket>): Promise<void> {
    const { socketEvents: events, maxPayloadBytes, paces, log } = this.#options;
    const { hasRoom, isDraining, onUpgrade } = this.#options;
    if (this.#undecided.sockets >= UNDECIDED_MAX) {
      onUpgrade('full');
      return this.#refuse(noRoom(UNDECIDED_RETRY_MS));
    }
    this.#undecided.sockets += 1;
    try {
      const admission = await admit(this.#options, request);
      if (this.#isOver) return;
      if (isDraining()) {
        onUpgrade('draining');
        return this.#end(closes.serviceRestart.code, closes.serviceRestart.reason);
      }
      if (admission.kind === 'refused') {
        onUpgrade(admission.frame.code);
        return this.#refuse(admission);
      }
      const { identity } = admission;
      if (!hasRoom(identity.principal)) {
        onUpgrade('full');
        return this.#refuse(noRoom(NO_ROOM_RETRY_MS));
      }
      onUpgrade('accepted');
      const { address: remoteAddress, traceparent } = request;
      const context = { identity, remoteAddress, traceparent };
      this.#socket = new LiveSocket(this.#raw, {
        ...context,
        events,
        sockets,
        maxPayloadBytes,
        pace: paces.of(identity.principal),
        share: this.#options.unsent.of('socket', identity.principal),
        onFlood: () =>
          this.#options.onFlood({ principal: identity.principal, address: remoteAddress }),
        log,
      });
      for (const { message, isBinary } of this.#forgetEarly()) {
        this.#socket.arrived(message, isBinary);
      }
    } catch (err) {
      log.error({ err }, 'an upgrade failed');
      if (!this.#isOver) this.#raw.close();
    } finally {
      this.#undecided.sockets -= 1;
    }
  }

  arrived(message: ArrayBuffer, isBinary: boolean): void {
    if (this.#isOver || !this.#mayWait(message.byteLength)) return;
    // Copied: the library takes its memory back after this call.
    this.#early.push({ message: message.slice(0), isBinary });
  }

  heard(what: 'ping' | 'pong'): void {
    if (this.#socket) this.#socket.heard(what);
    else if (!this.#isOver) this.#mayWait(0);
  }

  #mayWait(bytes: number): boolean {
    this.#earlyFrames += 1;
    this.#earlyBytes += bytes;
    this.#undecided.bytes += bytes;
    const isTooMuch =
      this.#earlyFrames > EARLY_FRAMES_MAX ||
      this.#earlyBytes > this.#options.maxPayloadBytes * 2 ||
      this.#undecided.bytes > EARLY_BYTES_MAX;
    if (!isTooMuch) return true;
    this.#options.onUpgrade('invalid');
    this.#end(closes.tooManyUpgrades.code, 'too much was sent before admission');
    return false;
  }

  #forgetEarly(): Frame[] {
    this.#undecided.bytes -= this.#earlyBytes;
    this.#earlyBytes = 0;
    return this.#early.splice(0);
  }

  /** The socket of a client that was let in: what it sends goes there at once. */
  get admitted(): LiveSocket | undefined {
    return this.#socket;
  }

  get principal(): string {
    return this.#socket?.identity.principal ?? '';
  }

  get hasGreeted(): boolean {
    return this.#socket?.hasGreeted ?? false;
  }

  cut(): void {
    if (this.#socket) this.#socket.cut();
    else if (!this.#isOver) this.#raw.close();
  }

  drained(): void {
    this.#socket?.drained();
  }

  gone(): void {
    this.#isOver = true;
    this.#forgetEarly();
    this.#socket?.gone();
  }

  /** Clients of this protocol expect the reason as a frame on an accepted socket, not an HTTP status. */
  #refuse({ frame, code }: Refusal): void {
    this.#raw.send(JSON.stringify(frame), false);
    this.#end(code, closeReason(frame.message));
  }

  #end(code: number, reason: string): void {
    this.#isOver = true;
    this.#forgetEarly();
    this.#raw.end(code, reason);
  }
}
