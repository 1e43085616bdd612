import type { Content, HistoryMessage } from '@sluice/protocol';

/** One try to answer one message (or one batch of `collect` messages). */
export type Turn = {
  readonly session_id: string;
  readonly principal: string;
  readonly message_id: string;
  readonly turn_id: string;
  /** What to answer; a batch arrives as its contents joined by blank lines. */
  readonly content: Content;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** From 1; larger when an earlier try was cut short, so side effects may have happened. */
  readonly attempt: number;
  /** Grows with every lease: a resource that keeps the highest seen can refuse a stale turn. */
  readonly fence: number;
  /** The same for every try of this message: `<principal hash>.<session_id>:<message_id>`. */
  readonly idempotency_key: string;
  /** Committed messages, oldest first, without the current one. */
  readonly history: readonly HistoryMessage[];
};

export type AgentEvent =
  | { readonly type: 'delta'; readonly content: string }
  | { readonly type: 'reasoning'; readonly content: string }
  | { readonly type: 'tool_call'; readonly tool_call: unknown }
  | { readonly type: 'tool_progress'; readonly tool_call: unknown }
  | { readonly type: 'tool_result'; readonly tool_call: unknown };

export type RunOptions = {
  readonly signal: AbortSignal;
  /** W3C trace context of the turn; absent or '' when it is not traced. */
  readonly traceparent?: string;
  /**
   * All earlier attempts died with their process or node. If the agent `isolates`, this one runs in a process
   * of its own: if that process dies too, this turn is the cause, and no other turn is harmed (T4).
   */
  readonly isAlone?: boolean;
};

export type Reply = { readonly content: string; readonly usage?: Record<string, unknown> };

/**
 * The port to the model. `run` streams events and returns the whole reply; it must stop soon after
 * `signal` aborts (whatever it does later is discarded). Errors that it throws: `RetryableError` is retried
 * with backoff, `ProcessDied` counts as an attempt that was cut short, anything else ends the message with
 * outcome `error`.
 */
export type Agent = {
  run(turn: Turn, options: RunOptions): AsyncGenerator<AgentEvent, Reply, void>;
  /** False if `run` never reads `turn.history`: it is then not read from Redis. Default true. */
  readonly usesHistory?: boolean;
  /** Only the newest history up to this size is read from Redis. Default: all. */
  readonly historyBytes?: number;
  readonly retry?: Partial<RetryPolicy>;
  /** A turn that runs alone gets a process of its own. Default false. */
  readonly isolates?: boolean;
  /** Releases what the agent holds (sockets, child processes). */
  close?(): Promise<void>;
};

/**
 * The delay before retry n (from 1) is `initial * factor^(n-1)`, at most `max`, less a random part of up to
 * half; milliseconds. `forMs`: a message is tried again until this long after its first failure.
 */
export type RetryPolicy = {
  readonly forMs: number;
  readonly initialMs: number;
  readonly factor: number;
  readonly maxMs: number;
};

/** The failure is expected to pass: another attempt is worth it. */
export class RetryableError extends Error {
  override readonly name: string = 'RetryableError';
  constructor(
    message: string,
    /** Shortest delay before the next attempt, in milliseconds (a `Retry-After`). */
    readonly retryAfterMs = 0,
  ) {
    super(message);
  }
}

/** The process that ran the turn is gone: the turn or one of its neighbours may have ended it. */
export class ProcessDied extends Error {
  override readonly name: string = 'ProcessDied';
}

/** The failure will repeat: the message ends with outcome `error` and this text as its reason. */
export class TerminalError extends Error {
  override readonly name: string = 'TerminalError';
}

/** Gives the default export of a module its type. The plain object works as well. */
export function defineAgent(agent: Agent): Agent {
  return agent;
}
