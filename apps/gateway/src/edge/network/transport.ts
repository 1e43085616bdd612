import type { ErrorCode } from '@sluice/protocol';
import type { Logger } from '@sluice/runtime';
import type { Scope } from '../../config/config-types.js';
import type { ClientAddress } from '../access/client-address.js';
import type { Authenticate, CheckOrigin, Identity } from '../access/identity.js';
import type { Standing } from '../access/standing.js';
import type { Descriptors } from '../limits/descriptors.js';
import type { FramePaces } from '../limits/frame-pace.js';
import type { EdgeRates } from '../limits/rates.js';
import type { UpgradeResult } from '../limits/results.js';
import type { Unsent } from '../limits/unsent.js';

/**
 * What the edge knows of the network: plain types, so that nothing but server.ts depends on the
 * library that serves them.
 */

/** One HTTP request, copied before the first await. */
export type HttpRequest = {
  readonly method: string;
  /** Raw path, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** '' when absent; `name` in lower case. */
  header(name: string): string;
  readonly remoteAddress: string;
  /** May be called once, at any time. No more than `ServerOptions.maxPayloadBytes` is ever kept. */
  body(maxBytes: number): Promise<string | 'too_large' | 'aborted'>;
};

/** A request is answered once, by `json`, `text`, `error` or `stream`; all are ignored once the client is gone. */
export type HttpReply = {
  /** The client is gone. */
  readonly aborted: boolean;
  /** Calls `fn` with the code when the answer is an error. */
  onError(fn: (code: ErrorCode) => void): void;
  /** Runs `fn` when the client goes before the reply is complete (at once if it is gone already). */
  onAborted(fn: () => void): void;
  json(status: number, body: unknown, headers?: Record<string, string>): void;
  text(status: number, body: string, contentType: string, headers?: Record<string, string>): void;
  /** `{"error": {code, message, retryable}}` with the status of the code. */
  error(code: ErrorCode, message: string, headers?: Record<string, string>): void;
  /** Breaks the connection off, so that nothing looks like a complete answer. */
  cut(): void;
  /** Server-Sent Events: the headers go out at once. */
  stream(status: number, headers: Record<string, string>): HttpStream;
};

/** Writing to a stream that has ended is ignored. */
export type HttpStream = {
  write(chunk: string): void;
  /** Bytes that the client has not taken yet, without those that the kernel holds. */
  bufferedBytes(): number;
  end(): void;
  /** Breaks the connection off without a proper end. */
  cut(): void;
};

export type Exchange = {
  readonly request: HttpRequest;
  readonly reply: HttpReply;
  readonly identity: Identity;
  readonly standing: Standing;
  /** Decoded values of the `:names` in the route's path. */
  readonly params: Record<string, string>;
};

export type Route = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** '/v1/sessions/:id/messages' */
  readonly path: string;
  /** For a public route the identity is that of a valid credential, else `nobody`. */
  readonly access: 'public' | Scope;
  /** Whether scope `operate` reaches it too; what it is then shown is said in http/shown.ts. */
  readonly operate?: boolean;
  /** Tokens that the principal pays before it runs (costs.ts); default: `costs.call`. */
  readonly cost?: number | ((query: URLSearchParams) => number);
  run(exchange: Exchange): void | Promise<void>;
};

/** The JSON of a frame; as bytes where several connections get the same frame. */
export type FrameText = string | Buffer;

/** One WebSocket. `send` never throws; after the close it returns 'closed'. */
export type Socket = {
  readonly id: string;
  readonly identity: Identity;
  readonly remoteAddress: string;
  /** The `traceparent` of the upgrade, for messages that bring none of their own; '' for none. */
  readonly traceparent: string;
  /**
   * Sends frames in one write. 'queued': part of them waits; 'dropped': the library had no room for one (for
   * `maxBufferedBytes` and two of the largest frames), or the peer keeps too much memory.
   */
  send(...frames: readonly FrameText[]): 'sent' | 'queued' | 'dropped' | 'closed';
  bufferedBytes(): number;
  /**
   * Closes after what is buffered; the event `closed` is sent before this returns. A peer that has not taken what is
   * buffered within 2 s is cut (E9).
   */
  close(code: number, reason: string): void;
  /** Breaks the connection off: the peer sees 1006. */
  cut(): void;
  /** From now on its frames have the whole limit of a connection. */
  saidHello(): void;
  /** A frame was answered with `rate_limited`: that costs as much as ten more. */
  wasRefused(): void;
};

export type SocketEvents = {
  open(socket: Socket): void;
  message(socket: Socket, text: string): void;
  /** A binary or oversized message, or one too many, was dropped. The connection stays. */
  refused(
    socket: Socket,
    code: 'invalid_frame' | 'payload_too_large' | 'rate_limited',
    message: string,
  ): void;
  /** Part of what was buffered has gone out. */
  drained(socket: Socket): void;
  /** Any sign of life, pongs included; comes before `message` and `refused`. */
  inbound(socket: Socket): void;
  /** Comes once for each `open`, no matter which side closed. */
  closed(socket: Socket): void;
};

export type ServerOptions = {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly maxPayloadBytes: number;
  readonly maxBufferedBytes: number;
  /** The largest frame that the node sends. */
  readonly maxFrameBytes: number;
  readonly heartbeatIntervalMs: number;
  /** Whether an HTTP connection may serve another request. */
  readonly keepAlive: boolean;
  readonly paces: FramePaces;
  isDraining(): boolean;
  /** Whether this node may have another connection of this principal. */
  hasRoom(principal: string): boolean;
  readonly authenticate: Authenticate;
  readonly checkOrigin: CheckOrigin;
  readonly clientAddress: ClientAddress;
  readonly rates: Pick<EdgeRates, 'upgrade' | 'unauthenticated' | 'guessWaitMs' | 'request'>;
  readonly unsent: Unsent;
  /** Default: the open files of this process. */
  readonly descriptors?: Descriptors;
  /**
   * A connection sent more frames than it may. True: close it with a code, though the library then reads what it sends
   * for up to 16 s more. False: cut it.
   */
  onFlood(peer: { readonly principal: string; readonly address: string }): boolean;
  /** A request for a WebSocket was answered. */
  onUpgrade(result: UpgradeResult): void;
  readonly routes: readonly Route[];
  /** The listener for operators; null: there is none. */
  readonly admin: { readonly port: number; readonly routes: readonly Route[] } | null;
  readonly socketEvents: SocketEvents;
  /** The chat page, served at `/`; null: none. */
  readonly publicFile: string | null;
  readonly log: Logger;
};

export type Server = {
  readonly port: number;
  readonly adminPort: number | null;
  /** Takes no new connections; those that exist go on. */
  closeListener(): void;
  /** Cuts every connection that is left. */
  close(): void;
};
