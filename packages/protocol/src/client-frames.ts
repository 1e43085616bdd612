import { z } from 'zod';

/** Version of the wire protocol that this release speaks. */
export const PROTOCOL_VERSION = 1;

/** Not `.` and `..`: in a URL both are resolved away, escaped or not. */
export const sessionIdSchema = z.string().regex(/^(?!\.{1,2}$)[A-Za-z0-9._:@-]{1,128}$/, {
  error: 'must be 1 to 128 characters of A-Z a-z 0-9 . _ : @ -, and neither "." nor ".."',
});
export const messageIdSchema = z.string().regex(/^[A-Za-z0-9._:-]{1,128}$/, {
  error: 'must be 1 to 128 characters of A-Z a-z 0-9 . _ : -',
});

/** Lengths are in characters, as in JSON Schema, not in the code units of JavaScript. */
function text(minLength: number, maxLength: number) {
  const fits = (value: string) =>
    value.length >= minLength &&
    value.length <= 2 * maxLength &&
    (value.length <= maxLength || [...value].length <= maxLength);
  const atLeast = minLength === 0 ? 'at most' : `${minLength} to`;
  return z
    .string()
    .refine(fits, { error: `must have ${atLeast} ${maxLength} characters` })
    .meta({ minLength, maxLength });
}
const agentId = text(1, 128);

/** A field that may be left out; clients of languages that have no "absent" write null for that. */
function optional<T extends z.ZodType>(schema: T) {
  return schema
    .nullable()
    .transform((value) => value ?? undefined)
    .optional();
}

export const jsonObject = z.record(z.string(), z.unknown());
const version = z.int().nonnegative();

/** No log gets this long, and Lua keeps numbers up to here exact. A larger cursor is beyond every log (E4). */
const CURSOR_MAX = 10 ** 15 - 1;

/** The last `seq` that a reader has, as a number or as digits. */
export const cursorSchema = z
  .union([z.int().nonnegative(), z.string().regex(/^\d{1,32}$/)], {
    error: 'must be a whole number from 0 on',
  })
  .transform((since) => Math.min(Number(since), CURSOR_MAX));

/** `content` of a message: a non-empty string or an object (S5). */
export const contentSchema = z.union([z.string().min(1), jsonObject], {
  error: 'must be a non-empty string or an object',
});
export type Content = z.infer<typeof contentSchema>;

export const modes = ['enqueue', 'collect', 'interrupt', 'reject'] as const;
export type Mode = (typeof modes)[number];

export const helloSchema = z.object({
  type: z.literal('hello'),
  agent_id: agentId,
  protocol_min: optional(version),
  protocol_max: optional(version),
  protocol: optional(z.object({ min: optional(version), max: optional(version) })),
  capabilities: optional(z.array(z.string()).max(64)),
  caps: optional(z.array(z.string()).max(64)),
  session_id: optional(sessionIdSchema),
  since: optional(cursorSchema),
  epoch: optional(text(0, 32)),
  metadata: optional(jsonObject),
});

/** Legacy attach. */
export const joinSchema = z.object({
  type: z.literal('join'),
  agent_id: agentId,
  min_version: optional(version),
  max_version: optional(version),
  session_id: optional(sessionIdSchema),
  since: optional(cursorSchema),
});

export const messageSchema = z.object({
  type: optional(z.literal('message')),
  content: contentSchema,
  message_id: optional(messageIdSchema),
  mode: optional(z.enum(modes)),
  metadata: optional(jsonObject),
  in_reply_to: optional(messageIdSchema),
  /** W3C trace context of the client; an invalid one is ignored. */
  traceparent: optional(text(0, 512)),
  /** Over HTTP only: starts the session with this agent if there is none. */
  agent_id: optional(agentId),
});

const abortSchema = z.object({
  type: z.enum(['abort', 'message_abort']),
  reason: optional(text(0, 256)),
  /** The message to stop; default: the head of the inbox. */
  message_id: optional(messageIdSchema),
  /** The client's own name of this abort: a repeat gets the first answer. */
  abort_id: optional(messageIdSchema),
});

/** As dispatch sees it: aliases resolved, and the word `stop` with its `message_id` as `abort_id`. */
export type AbortFrame = {
  type: 'abort';
  reason: string;
  message_id?: string | undefined;
  abort_id?: string | undefined;
};
export type HelloFrame = z.infer<typeof helloSchema>;
export type JoinFrame = z.infer<typeof joinSchema>;
export type MessageFrame = z.infer<typeof messageSchema>;

export const schemas = {
  hello: helloSchema,
  join: joinSchema,
  message: messageSchema,
  abort: abortSchema,
  message_abort: abortSchema,
  cancel: z.object({ type: z.literal('cancel'), message_id: messageIdSchema }),
  snapshot: z.object({ type: z.literal('snapshot') }),
  leave: z.object({ type: z.literal('leave') }),
  ping: z.object({ type: z.literal('ping') }),
  pong: z.object({ type: z.literal('pong') }),
} as const;

/** Client frames as dispatch sees them: aliases resolved, `type` always there. */
export type ClientFrame =
  | HelloFrame
  | JoinFrame
  | (Omit<MessageFrame, 'type'> & { type: 'message' })
  | AbortFrame
  | { type: 'cancel'; message_id: string }
  | { type: 'snapshot' }
  | { type: 'leave' }
  | { type: 'ping' }
  | { type: 'pong' };

export const clientFrameTypes = Object.keys(schemas);
