import { within } from '@sluice/runtime';

/** The callbacks of a connection. */
export type Listener = {
  /** A reply has ended; `content` is its text. */
  onFinal?(content: string): void;
  /** The text of one delta. */
  onDelta?(content: string): void;
  /** The program refused something, or the connection was lost without `cut`. */
  onFault(what: string): void;
};

export type AttachOptions = {
  /** Default: a new session. */
  readonly session?: string;
  /** Replay the log from its beginning. */
  readonly replay?: boolean;
  /** Ask for deltas. */
  readonly streams?: boolean;
  /** An address of loopback to connect from: each has its own ports. */
  readonly localAddress?: string;
};

/** One attached connection. */
export type Connection = {
  send(content: string): void;
  /** Closes without a close frame, as a lost network does. */
  cut(): void;
  readonly bytesRead: number;
};

/** Longest time to attach. */
const ATTACH_MS = 120_000;

/** The same, with that limit. */
export const inTime =
  (attach: Attach): Attach =>
  async (options, listener) => {
    const connection = await within(attach(options, listener), ATTACH_MS);
    if (connection) return connection;
    throw new Error(`not attached in ${ATTACH_MS / 1_000} s`);
  };

export type Attach = (options: AttachOptions, listener: Listener) => Promise<Connection>;
