import {
  type AcceptedFrame,
  contentSchema,
  errorCodes,
  type FinalFrame,
  type HistoryMessage,
  outcomes,
  type SessionState,
  sessionIdSchema,
} from '@sluice/protocol';
import { z } from 'zod';

/** What answers look like, for the document; the types of the wire must have the same fields. */

export const jsonObject = z.record(z.string(), z.unknown());
export const seconds = z.number().meta({ description: 'Seconds since 1970' });
export const count = z.int().nonnegative();

export const errorShape = z
  .object({
    error: z.object({
      code: z.enum(errorCodes),
      message: z.string(),
      retryable: z.boolean().meta({ description: 'Whether the same request may succeed later' }),
    }),
  })
  .meta({ id: 'Error' });

const outcome = z.object({ status: z.enum(outcomes), reason: z.string().optional() });

/** Where a frame stands in the log; a repeat of one does not stand there. */
const logged = { cursor: count.optional(), seq: count.optional() };

export const acceptedShape = z
  .object({
    type: z.literal('response'),
    status: z.literal('accepted'),
    content: z.string(),
    session_id: z.string(),
    message_id: z.string(),
    position: count,
    durability: z.enum(['memory', 'aof', 'replica']).optional(),
    duplicate: z.literal(true).optional(),
    ...logged,
  })
  .meta({ id: 'Accepted' }) satisfies z.ZodType<AcceptedFrame>;

export const finalShape = z
  .object({
    type: z.literal('response'),
    status: z.literal('final'),
    content: z.string(),
    outcome,
    session_id: z.string(),
    message_id: z.string(),
    turn_id: z.string(),
    attempt: count,
    usage: jsonObject.optional(),
    merged_into: z.string().optional(),
    duplicate: z.literal(true).optional(),
    reason: z.string().optional(),
    ...logged,
  })
  .meta({ id: 'Final' }) satisfies z.ZodType<FinalFrame>;

const content = z.union([contentSchema, z.string()]);

const historyShape = z
  .object({
    role: z.enum(['user', 'assistant']),
    content,
    message_id: z.string(),
    timestamp: seconds,
    outcome: outcome.optional(),
    turn_id: z.string().optional(),
    merged_into: z.string().optional(),
  })
  .meta({ id: 'HistoryMessage' }) satisfies z.ZodType<HistoryMessage>;

export const sessionShape = z
  .object({
    session_id: z.string(),
    agent_id: z.string(),
    created_at: seconds,
    last_activity: seconds,
    epoch: z.string(),
    metadata: jsonObject,
    messages: z.array(historyShape),
    events: z.array(z.unknown()).optional(),
    event_cursor: count,
    pending_inbox: z.array(content),
    is_executing: z.boolean(),
    holder: z.string().nullable(),
    fence: count,
    attempt: count,
    older: z
      .string()
      .nullable()
      .meta({ description: '`?before=` of the page before this one; null: it has the oldest' }),
  })
  .meta({ id: 'Session' }) satisfies z.ZodType<SessionState>;

export const sessionParams = z.object({ id: sessionIdSchema });

/** For scope `admin`: whose session is meant, or whose are listed. */
export const named = {
  principal: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .meta({ description: 'Scope `admin` only: whose it is' }),
};

const PAGE_DEFAULT = 20;
const PAGE_MAX = 100;

export const pageSize = (max = PAGE_MAX, initial = PAGE_DEFAULT) =>
  z.coerce.number().int().min(1).max(max).default(initial);

export const nextShape = z
  .string()
  .nullable()
  .meta({ description: '`?after=` of the next page; null: this is the last' });
