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
   * All attempts before this one died with their process or node. It runs in a process of its own when the
   * agent `isolates`: whatever ends that process says something about this turn, and harms no other (T4).
   */
  readonly isAlone?: boolean;
};

export type Reply = { readonly content: string; readonly usage?: Record<string, unknown> };

/**
 * The port to the model. `run` streams events and returns the whole reply; it must stop soon after
 * `signal` aborts (whatever it does later is discarded). What it throws decides: `RetryableError` is
 * retried with backoff, `ProcessDied` counts as an attempt that was cut short, anything else is outcome
 * `error`.
 */
export type Agent = {
  run(turn: Turn, options: RunOptions): AsyncGenerator<AgentEvent, Reply, void>;
  /** False when `turn.history` is never looked at: it is then not read from Redis. Default true. */
  readonly usesHistory?: boolean;
  /** How much of the history it takes at most, counted from the newest; no more is read. Default: all. */
  readonly historyBytes?: number;
  readonly retry?: Partial<RetryPolicy>;
  /** A turn that runs alone gets a process of its own. Default false. */
  readonly isolates?: boolean;
  /** Releases what the agent holds (sockets, child processes). */
  close?(): Promise<void>;
};

/**
 * Delay before retry n (from 1) is `initial * factor^(n-1)`, at most `max`, less up to half of it by chance;
 * milliseconds. `forMs`: for so long after its first failure a message is tried again.
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
    /** Wait at least so long, in milliseconds (a `Retry-After`). */
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

/** Types a module's default export, where this file can be imported; the object alone does as well. */
export function defineAgent(agent: Agent): Agent {
  return agent;
}
