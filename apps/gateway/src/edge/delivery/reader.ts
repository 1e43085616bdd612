import type { BuiltEvent } from './frames.js';

/** Reads one session's events in order: a socket, an SSE stream, a request that waits for a reply. */
export interface Reader {
  /** Seq of the last event taken. */
  readonly cursor: number;
  readonly epoch: string;
  readonly closed: boolean;
  /** The next event; `seq` = cursor + 1. */
  take(built: BuiltEvent): void;
  /** The next event is one that this release cannot read; `seq` = cursor + 1. */
  skip(seq: number): void;
  /** The log that the reader was on is now under `epoch`, unchanged up to its cursor. */
  moveTo(epoch: string): void;
  /** What follows the cursor is lost: takes a snapshot instead and moves behind it. */
  resync(): Promise<void>;
  /** The session does not exist any more. */
  gone(): void;
  /** The log of the session cannot be read, and trying again would not help. */
  broken(): void;
  /** Resolves when more may be written. */
  writable(): Promise<void>;
}
