import {
  acceptedSchema,
  count,
  errorCodes,
  finalSchema,
  sessionIdSchema,
  sessionStateSchema,
} from '@sluice/protocol';
import { z } from 'zod';

/** What several paths take or answer; shapes with an id are components of the document. */

export const errorShape = z
  .object({
    error: z.object({
      code: z.enum(errorCodes),
      message: z.string(),
      retryable: z.boolean().meta({ description: 'Whether the same request may succeed later' }),
    }),
  })
  .meta({ id: 'Error' });

/** Where a frame stands in the log; a repeat of one does not stand there. */
const position = { cursor: count.optional(), seq: count.optional() };
export const acceptedShape = acceptedSchema.extend(position).meta({ id: 'Accepted' });
export const finalShape = finalSchema.extend(position).meta({ id: 'Final' });

export const sessionShape = sessionStateSchema
  .omit({ truncated: true })
  .extend({
    older: z.string().nullable().meta({
      description: '`?before=` of the page before this one; null: this one begins the history',
    }),
  })
  .meta({ id: 'Session' });

export const sessionParams = z.object({ id: sessionIdSchema });

/** For scope `admin`: whose session is meant, or whose are listed. */
export const named = {
  principal: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .meta({ description: 'Whose it is; needs the scope `admin`' }),
};

const PAGE_DEFAULT = 20;
const PAGE_MAX = 100;

export const pageSize = (max = PAGE_MAX, initial = PAGE_DEFAULT) =>
  z.coerce.number().int().min(1).max(max).default(initial);

export const nextShape = z
  .string()
  .nullable()
  .meta({ description: '`?after=` of the next page; null: this is the last' });
