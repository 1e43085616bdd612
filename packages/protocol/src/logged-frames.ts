import { z } from 'zod';
import { contentSchema, jsonObject, modes } from './client-frames.js';

export const outcomes = [
  'ok',
  'error',
  'aborted',
  'timeout',
  'cancelled',
  'dead_lettered',
] as const;
export type OutcomeStatus = (typeof outcomes)[number];

export const outcomeSchema = z.strictObject({
  status: z.enum(outcomes),
  reason: z.string().optional(),
});
export type Outcome = z.infer<typeof outcomeSchema>;

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

export const count = z.int().nonnegative();
export const seconds = z.number().nonnegative().meta({ description: 'Seconds since 1970' });

export const durabilities = ['memory', 'aof', 'replica'] as const;
export type Durability = (typeof durabilities)[number];

/** Position of a logged frame: `cursor` = `seq`; `epoch` on the first one of a new epoch. */
export type Logged = {
  cursor: number;
  seq: number;
  epoch?: string;
  /** Number of logged events left out before this one. */
  skipped?: number;
};

const position = { cursor: count.optional(), seq: count.optional() };
/** Fields for one connection only, beside an event of the log. */
const beside = { epoch: z.string().optional(), skipped: z.int().positive().optional() };

/** The message as it was sent, for all readers of the log. */
const inputSchema = z.strictObject({
  content: contentSchema,
  metadata: jsonObject.optional(),
  mode: z.enum(modes),
  in_reply_to: z.string().optional(),
});

export const acceptedSchema = z.strictObject({
  type: z.literal('response'),
  status: z.literal('accepted'),
  content: z.enum(['Started processing.', 'Message queued.']),
  session_id: z.string(),
  message_id: z.string(),
  position: count,
  input: inputSchema.optional(),
  durability: z.enum(durabilities).optional(),
  duplicate: z.literal(true).optional(),
});
export type AcceptedFrame = z.infer<typeof acceptedSchema>;

export const finalSchema = z.strictObject({
  type: z.literal('response'),
  status: z.literal('final'),
  content: z.string(),
  outcome: outcomeSchema,
  session_id: z.string(),
  message_id: z.string(),
  turn_id: z.string(),
  attempt: count,
  usage: jsonObject.optional(),
  merged_into: z.string().optional(),
  duplicate: z.literal(true).optional(),
  reason: z.string().optional(),
});
export type FinalFrame = z.infer<typeof finalSchema>;

const streamSchema = z.strictObject({
  type: z.enum(streamTypes),
  data: z.strictObject({
    content: z.string().optional(),
    tool_call: z.unknown().optional(),
    error: z.string().optional(),
    session_id: z.string(),
    message_id: z.string(),
    turn_id: z.string(),
    attempt: count,
  }),
  event_id: z.string(),
  timestamp: seconds,
  source: z.string(),
  target: z.string(),
});
export type StreamFrame = z.infer<typeof streamSchema>;

const sessionEndSchema = z.strictObject({
  type: z.literal('session_end'),
  data: z.strictObject({
    session_id: z.string(),
    agent_id: z.string(),
    reason: z.string(),
    reason_code: z.enum(['drain_timeout', 'client_end', 'operator']),
    had_pending_work: z.boolean(),
    was_executing: z.boolean(),
    pending_count: count,
    continues: z.boolean(),
  }),
});
/** As read from the log: fields that a newer release adds are left out. */
export const sessionEndDataSchema = sessionEndSchema.shape.data.strip();
export type SessionEndFrame = z.infer<typeof sessionEndSchema>;
export type SessionEndData = SessionEndFrame['data'];

/** Frames that are events of the session's log. */
export type LoggedFrame = AcceptedFrame | FinalFrame | StreamFrame | SessionEndFrame;

/** `cursor` and `seq` are absent in a repeat: it goes to its sender only and has no position in the log. */
export const responseSchema = z.discriminatedUnion('status', [
  acceptedSchema.extend({ ...position, ...beside }),
  finalSchema.extend({ ...position, ...beside }),
]);

const required = { cursor: count, seq: count };
export const streamFrameSchema = streamSchema.extend({ ...required, ...beside });
export const sessionEndFrameSchema = sessionEndSchema.extend({ ...required, ...beside });

/** `event.data` is the whole frame as first sent; fields for this connection only stand beside `event`. */
export const replaySchema = z.strictObject({
  type: z.literal('replay'),
  seq: count,
  event: z.strictObject({
    type: z.enum(['response', 'session_end', ...streamTypes]),
    data: z.union([
      acceptedSchema.extend(required),
      finalSchema.extend(required),
      streamSchema.extend(required),
      sessionEndSchema.extend(required),
    ]),
    event_id: z.string(),
    timestamp: seconds,
    source: z.string(),
    target: z.string(),
    sequence: count,
  }),
  durability: z.enum(durabilities).optional(),
  ...beside,
});
export type ReplayFrame = z.infer<typeof replaySchema>;
