import { closes } from '@sluice/protocol';
import { admit, noRoom, type Refusal, type UpgradeRequest } from './admit.js';
import { closeReason, LiveSocket, type RawSocket } from './socket.js';
import type { ServerOptions } from './transport.js';

/** When a client may find room that there is none of now. */
const NO_ROOM_RETRY_MS = 5_000;
/** Some clients send their `hello` and what follows it without waiting for anything. */
const EARLY_FRAMES_MAX = 64;

type Frame = { readonly message: ArrayBuffer; readonly isBinary: boolean };

/**
 * A WebSocket that is open while it is decided whether it may stay: credentials and rates may be asked
 * from elsewhere, and the library upgrades a request only in the call that brought it. What the client
 * sends meanwhile waits, in order and bounded.
 */
export class Entrance {
  readonly #raw: RawSocket;
  readonly #options: ServerOptions;
  #early: Frame[] = [];
  #earlyBytes = 0;
  #socket: LiveSocket | undefined;
  #isOver = false;

  constructor(raw: RawSocket, options: ServerOptions) {
    this.#raw = raw;
    this.#options = options;
  }

  /** Lets the client in or turns it away; `sockets` gets it when it is in. */
  async decide(request: UpgradeRequest, sockets: Set<LiveSocket>): Promise<void> {
    const { socketEvents: events, maxPayloadBytes, log } = this.#options;
    const { hasRoom, isDraining, onUpgrade } = this.#options;
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
      if (!hasRoom()) {
        onUpgrade('full');
        return this.#refuse(noRoom(NO_ROOM_RETRY_MS));
      }
      onUpgrade('accepted');
      const { identity } = admission;
      const { address: remoteAddress, traceparent } = request;
      const context = { identity, remoteAddress, traceparent };
      this.#socket = new LiveSocket(this.#raw, {
        ...context,
        events,
        sockets,
        maxPayloadBytes,
        log,
      });
      for (const { message, isBinary } of this.#early.splice(0)) {
        this.#socket.arrived(message, isBinary);
      }
    } catch (err) {
      log.error({ err }, 'an upgrade failed');
      if (!this.#isOver) this.#raw.close();
    }
  }

  arrived(message: ArrayBuffer, isBinary: boolean): void {
    if (this.#socket) return this.#socket.arrived(message, isBinary);
    if (this.#isOver) return;
    this.#earlyBytes += message.byteLength;
    // The library's memory is its own again after this call.
    this.#early.push({ message: message.slice(0), isBinary });
    const isTooMuch =
      this.#early.length > EARLY_FRAMES_MAX || this.#earlyBytes > this.#options.maxPayloadBytes * 2;
    if (!isTooMuch) return;
    this.#options.onUpgrade('invalid');
    this.#end(closes.tooManyUpgrades.code, 'too much was sent before admission');
  }

  heard(): void {
    this.#socket?.heard();
  }

  drained(): void {
    this.#socket?.drained();
  }

  gone(): void {
    this.#isOver = true;
    this.#early = [];
    this.#socket?.gone();
  }

  /** Clients of this protocol expect the reason as a frame on an accepted socket, not an HTTP status. */
  #refuse({ frame, code }: Refusal): void {
    this.#raw.send(JSON.stringify(frame), false);
    this.#end(code, closeReason(frame.message));
  }

  #end(code: number, reason: string): void {
    this.#isOver = true;
    this.#early = [];
    this.#raw.end(code, reason);
  }
}
