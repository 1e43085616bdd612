import { z } from 'zod';
import { errorCodes, helloErrorCodes, nextSteps } from './errors.js';
import {
  count,
  replaySchema,
  responseSchema,
  sessionEndFrameSchema,
  streamFrameSchema,
  streamTypes,
} from './logged-frames.js';
import { sessionStateSchema } from './session-state.js';

/** Head of the session's log, in both greetings (`hello_ok` and `joined`). */
const greeting = {
  session_id: z.string(),
  resumed: z.boolean(),
  cursor: count,
  sequence: count,
  oldest_cursor: count,
  resync_required: z.boolean(),
};

const helloOkSchema = z.strictObject({
  type: z.literal('hello_ok'),
  protocol: z.int().positive(),
  features: z.strictObject({ methods: z.array(z.string()), events: z.array(z.string()) }),
  policy: z.strictObject({
    max_payload: count,
    max_buffered_bytes: count,
    max_queued_frames: count,
    heartbeat_ms: count,
  }),
  ...greeting,
  epoch: z.string(),
  pending: count,
  is_executing: z.boolean(),
  paused: z.boolean(),
  node_id: z.string(),
});
export type HelloOkFrame = z.infer<typeof helloOkSchema>;

const helloErrorSchema = z.strictObject({
  type: z.literal('hello_error'),
  code: z.enum(helloErrorCodes),
  message: z.string(),
  next_step: z.enum(nextSteps).optional(),
  retry_after_seconds: z.number().nonnegative().optional(),
  next: z.literal('start_new_session').optional(),
});
export type HelloErrorFrame = z.infer<typeof helloErrorSchema>;

const joinedSchema = z.strictObject({
  type: z.literal('joined'),
  agent_id: z.string(),
  ...greeting,
  protocol_version: z.int().positive(),
  server_min_version: z.int().positive(),
  server_max_version: z.int().positive(),
  presence: z.array(z.never()),
  health: z.literal('ok'),
});
export type JoinedFrame = z.infer<typeof joinedSchema>;

const errorSchema = z.strictObject({
  type: z.literal('error'),
  code: z.enum(errorCodes),
  message: z.string(),
  retryable: z.boolean(),
  message_id: z.string().optional(),
  field: z.string().optional(),
  required_scope: z.string().optional(),
  retry_after_ms: z.number().int().nonnegative().optional(),
});
export type ErrorFrame = z.infer<typeof errorSchema>;

const session_id = z.string();

const abortedSchema = z.strictObject({
  type: z.literal('aborted'),
  session_id,
  message_id: z.string(),
  abort_id: z.string().optional(),
});
const noActiveTurnSchema = z.strictObject({
  type: z.literal('no_active_turn'),
  session_id,
  /** The message that the abort named, if it named one. */
  message_id: z.string().optional(),
  /** `ended`: the message has an outcome already. `unknown`: it was never accepted, or is forgotten. */
  reason: z.enum(['ended', 'unknown']).optional(),
  abort_id: z.string().optional(),
});
/** The answers to an abort. */
export const abortAnswerSchema = z.discriminatedUnion('type', [abortedSchema, noActiveTurnSchema]);
export type AbortAnswer = z.infer<typeof abortAnswerSchema>;

/** Every frame that a node sends, except stream events. A client ignores fields that it does not know. */
export const serverSchemas = {
  hello_ok: helloOkSchema,
  hello_error: helloErrorSchema,
  joined: joinedSchema,
  replay: replaySchema,
  snapshot: z.strictObject({ type: z.literal('snapshot'), state: sessionStateSchema }),
  status: z.strictObject({ type: z.literal('status'), source: z.string(), message: z.string() }),
  response: responseSchema,
  aborted: abortedSchema,
  no_active_turn: noActiveTurnSchema,
  left: z.strictObject({ type: z.literal('left'), session_id }),
  cancelled: z.strictObject({
    type: z.literal('cancelled'),
    session_id,
    message_id: z.string(),
  }),
  session_end: sessionEndFrameSchema,
  going_away: z.strictObject({
    type: z.literal('going_away'),
    reason: z.enum(['draining', 'rebalance']),
    reconnect_after_ms: count,
    session_id: session_id.optional(),
  }),
  error: errorSchema,
  ping: z.strictObject({ type: z.literal('ping') }),
  pong: z.strictObject({ type: z.literal('pong') }),
} as const;

/** Frames built for one connection; events of the log are built once for all their readers. */
export type ServerFrame = z.infer<(typeof serverSchemas)[keyof typeof serverSchemas]>;

export const serverFrameTypes = Object.keys(serverSchemas);

/** The stream events: one schema for eight types. */
export const streamSchemas = Object.fromEntries(
  streamTypes.map((type) => [type, streamFrameSchema.extend({ type: z.literal(type) })]),
);
