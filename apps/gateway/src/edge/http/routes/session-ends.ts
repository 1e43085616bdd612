import { checked, count } from '@sluice/protocol';
import { type EndEntry, jsonObject } from '@sluice/store';
import { z } from 'zod';
import type { EdgeContext } from '../../session/context.js';
import { type DescribedRoute, defineRoute } from '../define-route.js';
import { endedAnswer, endSession } from '../end-session.js';
import { logAct, sessionOf } from '../guards.js';
import { named, nextShape, only, pageSize, sessionParams } from '../shapes.js';

const endShape = z
  .object({
    id: z.string().meta({ description: 'Its place in the stream' }),
    event_id: z.string().meta({ description: 'The same for each copy of one record' }),
    session_id: z.string(),
    agent_id: z.string(),
    principal: z.string(),
    reason: z.string(),
    reason_code: z.string(),
    had_pending_work: z.boolean(),
    was_executing: z.boolean(),
    pending_count: count,
    continues: z.boolean(),
    node_id: z.string(),
    fence: count,
    cursor: count,
    epoch: z.string(),
    ts: count.meta({ description: 'Milliseconds since 1970' }),
  })
  .meta({ id: 'SessionEnd' });

/** For scope `operate`: the code says why, in one word. */
const shownEnd = only(
  endShape,
  ...(['id', 'event_id', 'session_id', 'agent_id', 'principal', 'reason_code'] as const),
  ...(['had_pending_work', 'was_executing', 'pending_count', 'continues'] as const),
  ...(['node_id', 'fence', 'cursor', 'epoch', 'ts'] as const),
);

const entryId = z
  .string()
  .regex(/^\d{1,16}-\d{1,16}$/, { error: 'must be the "id" of a SESSION_END, or "next"' });

/** The paths where operators read the stream of SESSION_END records, and end a session. */
export function sessionEndRoutes(context: EdgeContext): DescribedRoute[] {
  return [listing(context), ending(context)];
}

const listing = (context: EdgeContext) =>
  defineRoute({
    method: 'GET',
    path: '/v1/session-ends',
    access: 'admin',
    operate: { shown: { 200: z.object({ session_ends: z.array(shownEnd), next: nextShape }) } },
    summary: 'What SESSION_END says, oldest first, as far as the stream is kept',
    query: z.object({ ...named, after: entryId.optional(), limit: pageSize() }),
    answers: {
      200: {
        description: 'One page; it may be short, also when others follow',
        schema: z.object({ session_ends: z.array(endShape), next: nextShape }),
      },
    },
    errors: ['unavailable'],
    async run(exchange, { query }) {
      const { principal, after, limit } = query;
      logAct(context, exchange, { action: 'session_ends_list', target: principal ?? '*' });
      const page = await context.ends.list({ principal, after, count: limit });
      exchange.reply.json(200, {
        session_ends: page.entries.flatMap(toJson),
        next: page.next ?? null,
      });
    },
  });

const ending = (context: EdgeContext) =>
  defineRoute({
    method: 'POST',
    path: '/v1/sessions/:id/end',
    access: 'admin',
    operate: 'refused',
    summary: 'End a session as its operator',
    params: sessionParams,
    query: z.object(named),
    answers: endedAnswer,
    errors: ['session_not_found', 'unavailable'],
    async run(exchange, { query }) {
      const of = query.principal ?? exchange.identity.principal;
      const ref = sessionOf(context, exchange, { action: 'session_end', of });
      if (!ref) return;
      const by = { reason: 'Ended by operator', reasonCode: 'operator' } as const;
      await endSession(context, exchange.reply, { ref, by });
    },
  });

/** Returns nothing for an entry that is no SESSION_END record, which only somebody else can have written. */
function toJson({ entryId, record }: EndEntry): z.infer<typeof endShape>[] {
  const read = checked(endShape, { ...jsonObject(record), id: entryId });
  return read.success ? [read.data] : [];
}
