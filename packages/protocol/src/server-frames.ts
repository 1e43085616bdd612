import type { Content } from './client-frames.js';
import type { ErrorCode, HelloErrorCode, NextStep } from './errors.js';

export const outcomes = [
  'ok',
  'error',
  'aborted',
  'timeout',
  'cancelled',
  'dead_lettered',
] as const;
export type OutcomeStatus = (typeof outcomes)[number];
export type Outcome = { readonly status: OutcomeStatus; readonly reason?: string };

export const streamTypes = [
  'token_stream',
  'reasoning_stream',
  'tool_call_stream',
  'tool_progress_stream',
  'tool_result_stream',
  'stream_error',
  'retry_stream',
  'stream_end',
] as const;
export type StreamType = (typeof streamTypes)[number];

export const serverFrameTypes = [
  'hello_ok',
  'hello_error',
  'joined',
  'replay',
  'snapshot',
  'status',
  'response',
  'aborted',
  'no_active_turn',
  'left',
  'cancelled',
  'session_end',
  'going_away',
  'error',
  'ping',
  'pong',
] as const;

/** Position of a logged frame: `cursor` = `seq`; `epoch` on the first one of a new epoch. */
export type Logged = {
  cursor: number;
  seq: number;
  epoch?: string;
  /** Number of logged events left out before this one. */
  skipped?: number;
};

export type AcceptedFrame = {
  type: 'response';
  status: 'accepted';
  content: string;
  session_id: string;
  message_id: string;
  position: number;
  durability?: Durability;
  duplicate?: true;
};

export type FinalFrame = {
  type: 'response';
  status: 'final';
  content: string;
  outcome: Outcome;
  session_id: string;
  message_id: string;
  turn_id: string;
  attempt: number;
  usage?: Record<string, unknown>;
  merged_into?: string;
  duplicate?: true;
  reason?: string;
};

export type StreamFrame = {
  type: StreamType;
  data: Record<string, unknown> & {
    session_id: string;
    message_id: string;
    turn_id: string;
    attempt: number;
  };
  event_id: string;
  timestamp: number;
  source: string;
  target: string;
};

export type SessionEndData = {
  session_id: string;
  agent_id: string;
  reason: string;
  reason_code: 'drain_timeout' | 'client_end' | 'operator';
  had_pending_work: boolean;
  was_executing: boolean;
  pending_count: number;
  continues: boolean;
};
export type SessionEndFrame = { type: 'session_end'; data: SessionEndData };

/** Frames that are events of the session's log. */
export type LoggedFrame = AcceptedFrame | FinalFrame | StreamFrame | SessionEndFrame;

export type ReplayFrame = {
  type: 'replay';
  seq: number;
  event: {
    type: string;
    data: LoggedFrame & Logged;
    event_id: string;
    timestamp: number;
    source: string;
    target: string;
    sequence: number;
  };
};

export type Durability = 'memory' | 'aof' | 'replica';

export type HelloErrorFrame = {
  type: 'hello_error';
  code: HelloErrorCode;
  message: string;
  next_step?: NextStep;
  retry_after_seconds?: number;
  next?: 'start_new_session';
};

export type ErrorFrame = {
  type: 'error';
  code: ErrorCode;
  message: string;
  retryable: boolean;
  message_id?: string;
  field?: string;
  required_scope?: string;
};

/** One entry of `messages` in the persisted shape. Times are seconds since 1970. */
export type HistoryMessage = {
  role: 'user' | 'assistant';
  content: Content | string;
  message_id: string;
  timestamp: number;
  outcome?: Outcome;
  turn_id?: string;
  merged_into?: string;
};

/** Persisted shape of a session: `snapshot.state` and `GET /v1/sessions/{id}`. */
export type SessionState = {
  session_id: string;
  agent_id: string;
  created_at: number;
  last_activity: number;
  epoch: string;
  metadata: Record<string, unknown>;
  messages: HistoryMessage[];
  events?: unknown[];
  event_cursor: number;
  pending_inbox: (Content | string)[];
  is_executing: boolean;
  holder: string | null;
  fence: number;
  attempt: number;
  truncated?: true;
};
