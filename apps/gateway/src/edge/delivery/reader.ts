import type { BuiltEvent } from './frames.js';

/** Reads one session's events in order: a socket, an SSE stream, a request that waits for a reply. */
export interface Reader {
  /** Seq of the last event taken. */
  readonly cursor: number;
  readonly epoch: string;
  readonly closed: boolean;
  /** Takes the next event; `seq` = cursor + 1. */
  take(built: BuiltEvent): void;
  /** Steps over the next event, which this release cannot read; `seq` = cursor + 1. */
  skip(seq: number): void;
  /** The log of the reader has a new `epoch`, and is unchanged up to its cursor. */
  moveTo(epoch: string): void;
  /** The events after the cursor are lost: takes a snapshot in their place, and moves the cursor to it. */
  resync(): Promise<void>;
  /** The session does not exist any more. */
  gone(): void;
  /** The log of the session cannot be read, and trying again would not help. */
  broken(): void;
  /** Resolves when more may be written. */
  writable(): Promise<void>;
}
