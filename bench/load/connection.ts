import { within } from '@sluice/runtime';

/** What a connection tells of its session. */
export type Listener = {
  /** A reply has ended; its text. */
  onFinal?(content: string): void;
  /** The text of one delta. */
  onDelta?(content: string): void;
  /** The program has refused something, or the connection was lost unasked. */
  onFault(what: string): void;
};

export type AttachOptions = {
  /** Default: a new session. */
  readonly session?: string;
  /** With the log from its beginning. */
  readonly replay?: boolean;
  /** With deltas. */
  readonly streams?: boolean;
  /** An address of loopback to connect from: each has its own ports. */
  readonly localAddress?: string;
};

/** One attached connection. */
export type Connection = {
  send(content: string): void;
  /** Without a farewell, as a lost network does. */
  cut(): void;
  readonly bytesRead: number;
};

/** A program that is not attached to by then is given up. */
const ATTACH_MS = 120_000;

/** The same, with an end. */
export const inTime =
  (attach: Attach): Attach =>
  async (options, listener) => {
    const connection = await within(attach(options, listener), ATTACH_MS);
    if (connection) return connection;
    throw new Error(`not attached in ${ATTACH_MS / 1_000} s`);
  };

export type Attach = (options: AttachOptions, listener: Listener) => Promise<Connection>;
