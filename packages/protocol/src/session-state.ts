import { z } from 'zod';
import { contentSchema, jsonObject } from './client-frames.js';
import { count, outcomeSchema, seconds } from './logged-frames.js';

/** Content of a message or of a reply; a reply may be empty. */
const anyContent = z.union([z.string(), contentSchema]);

/** One entry of `messages` in the persisted shape. Times are seconds since 1970. */
export const historyMessageSchema = z.strictObject({
  role: z.enum(['user', 'assistant']),
  content: anyContent,
  message_id: z.string(),
  timestamp: seconds,
  outcome: outcomeSchema.optional(),
  turn_id: z.string().optional(),
  merged_into: z.string().optional(),
});
export type HistoryMessage = z.infer<typeof historyMessageSchema>;

/** Persisted shape of a session: `snapshot.state` and `GET /v1/sessions/{id}`. */
export const sessionStateSchema = z.strictObject({
  session_id: z.string(),
  agent_id: z.string(),
  created_at: seconds,
  last_activity: seconds,
  epoch: z.string(),
  metadata: jsonObject,
  messages: z.array(historyMessageSchema),
  events: z.array(z.unknown()).optional(),
  event_cursor: count,
  pending_inbox: z.array(anyContent),
  /** Ids of `pending_inbox`, in the same order. */
  pending_message_ids: z.array(z.string()),
  is_executing: z.boolean(),
  paused: z.boolean(),
  holder: z.string().nullable(),
  fence: count,
  attempt: count,
  truncated: z.literal(true).optional(),
});
export type SessionState = z.infer<typeof sessionStateSchema>;
