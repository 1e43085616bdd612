import {
  acceptedSchema,
  count,
  errorCodes,
  finalSchema,
  seconds,
  sessionIdSchema,
  sessionStateSchema,
} from '@sluice/protocol';
import { z } from 'zod';

/** Shapes that several paths take or answer with; those with an id are components of the document. */

export const errorShape = z
  .object({
    error: z.object({
      code: z.enum(errorCodes),
      message: z.string(),
      retryable: z.boolean().meta({ description: 'Whether the same request may succeed later' }),
    }),
  })
  .meta({ id: 'Error' });

/** The place of a frame in the log; a repeated frame has none. */
const position = { cursor: count.optional(), seq: count.optional() };
export const acceptedShape = acceptedSchema.extend(position).meta({ id: 'Accepted' });
export const finalShape = finalSchema.extend(position).meta({ id: 'Final' });

/** Why a session stands still, for operators. */
export const workShape = z.object({
  principal: z.string(),
  lease_left_ms: count.meta({ description: '0: nobody holds it' }),
  oldest_message_id: z.string().nullable(),
  oldest_accepted_at: seconds.nullable(),
  hand_overs: count.meta({ description: 'Hand-overs that interrupted the message at the head' }),
  abort: z.string().nullable().meta({ description: 'Reason of an abort that is under way' }),
  rung: z.boolean().meta({ description: 'A ring is on its way to a worker' }),
});

export const sessionShape = sessionStateSchema
  .omit({ truncated: true })
  .extend({
    older: z.string().nullable().meta({
      description: '`?before=` of the page before this one; null: this one begins the history',
    }),
    work: workShape
      .optional()
      .meta({ description: 'For scopes `admin` and `operate`: why it stands still' }),
  })
  .meta({ id: 'Session' });

/** The fields `names` of an object, for scope `operate`; whatever else a value has is cut. */
export function only<S extends z.ZodRawShape, N extends keyof S & string>(
  schema: z.ZodObject<S>,
  ...names: readonly N[]
) {
  const picked = names.map((name): [N, S[N]] => [name, schema.shape[name]]);
  return z.object(Object.fromEntries(picked) as Pick<S, N>);
}

/** What scope `operate` sees of a session: no history, no metadata, no text of anybody. */
export const shownSession = only(
  sessionShape,
  ...(['session_id', 'agent_id', 'created_at', 'last_activity', 'epoch', 'event_cursor'] as const),
  ...(['pending_message_ids', 'is_executing', 'paused', 'holder', 'fence', 'attempt'] as const),
).extend({
  work: only(
    workShape,
    ...(['principal', 'lease_left_ms', 'oldest_message_id', 'oldest_accepted_at'] as const),
    ...(['hand_overs', 'rung'] as const),
  ),
});

/** What scope `operate` sees of an acknowledgement: not what was sent. */
export const shownAccepted = only(
  acceptedShape,
  ...(['type', 'status', 'session_id', 'message_id'] as const),
  ...(['position', 'durability', 'cursor', 'seq'] as const),
);

export const sessionParams = z.object({ id: sessionIdSchema });

/** For operators: the principal whose session is meant, or whose sessions are listed. */
export const named = {
  principal: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .meta({ description: 'Whose it is; needs a scope of operators' }),
};

const PAGE_DEFAULT = 20;
const PAGE_MAX = 100;

/** `?limit=` of a listing: from 1 to `max`; `initial` when it is absent. */
export const pageSize = (max = PAGE_MAX, initial = PAGE_DEFAULT) =>
  z.coerce.number().int().min(1).max(max).default(initial);

export const nextShape = z
  .string()
  .nullable()
  .meta({ description: '`?after=` of the next page; null: this is the last' });
