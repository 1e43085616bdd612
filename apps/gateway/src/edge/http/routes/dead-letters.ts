import { contentSchema, count, jsonObject, seconds } from '@sluice/protocol';
import type { DeadLetter } from '@sluice/store';
import { z } from 'zod';
import { acceptedOf } from '../../delivery/frames.js';
import type { Exchange } from '../../network/transport.js';
import type { EdgeContext } from '../../session/context.js';
import { refusalOf } from '../../session/submit-message.js';
import { encodeLetterCursor, encodeRetryCursor, letterCursor, retryCursor } from '../cursors.js';
import { type DescribedRoute, defineRoute } from '../define-route.js';
import { logAct, refusesToBegin } from '../guards.js';
import { acceptedShape, named, nextShape, only, pageSize, shownAccepted } from '../shapes.js';

const letterShape = z
  .object({
    id: z.string(),
    principal: z.string(),
    session_id: z.string(),
    agent_id: z.string(),
    message_id: z.string(),
    reason: z.string(),
    attempts: count,
    timestamp: seconds,
    accepted_at: seconds,
    content: contentSchema,
    metadata: jsonObject,
  })
  .meta({ id: 'DeadLetter' });

/** For scope `operate`. The reason is not among it: it is what the agent said when it failed. */
const shownLetter = only(
  letterShape,
  ...(['id', 'principal', 'session_id', 'agent_id', 'message_id'] as const),
  ...(['attempts', 'timestamp', 'accepted_at'] as const),
);

const letterParams = z.object({ id: z.string() });

/** The paths where operators look at dead letters, retry or delete them (T4). */
export function deadLetterRoutes(context: EdgeContext): DescribedRoute[] {
  return [listing(context), retryingAll(context), retrying(context), deleting(context)];
}

const listing = (context: EdgeContext) =>
  defineRoute({
    method: 'GET',
    path: '/v1/dead-letters',
    access: 'admin',
    operate: { shown: { 200: z.object({ dead_letters: z.array(shownLetter), next: nextShape }) } },
    summary: 'Messages that used up their attempts, newest first',
    query: z.object({ ...named, after: letterCursor.optional(), limit: pageSize() }),
    answers: {
      200: {
        description: 'One page; one of large contents may be shorter',
        schema: z.object({ dead_letters: z.array(letterShape), next: nextShape }),
      },
    },
    errors: ['unavailable'],
    async run(exchange, { query }) {
      const { principal, after, limit } = query;
      const page = await context.deadLetters.list({ principal, after, count: limit });
      logAct(context, exchange, { action: 'dead_letters_list', target: principal ?? '*' });
      exchange.reply.json(200, {
        dead_letters: page.letters.map(toJson),
        next: page.next ? encodeLetterCursor(page.next) : null,
      });
    },
  });

const retriedShape = z.object({
  type: z.literal('dead_letters_retried'),
  retried: count,
  kept: count.meta({ description: 'Their session has ended, or its inbox is full' }),
  next: nextShape,
});

const retryingAll = (context: EdgeContext) =>
  defineRoute({
    method: 'POST',
    path: '/v1/dead-letters/retry',
    access: 'admin',
    operate: 'whole',
    summary:
      'Retry the dead letters of an agent, or of all, oldest first, among the next `limit` letters',
    query: z.object({
      ...named,
      agent: z.string().optional(),
      after: retryCursor.optional(),
      limit: pageSize(),
    }),
    answers: { 200: { description: 'One page of letters was looked at', schema: retriedShape } },
    errors: ['draining', 'unavailable'],
    async run(exchange, { query }) {
      if (refusesToBegin(context, exchange.reply)) return;
      const { principal, agent, after, limit } = query;
      const page = await context.deadLetters.retryAll({ agent, principal, after, count: limit });
      const { retried, kept, next } = page;
      const outcome = `${retried} accepted, ${kept} kept`;
      logAct(context, exchange, { action: 'dead_letters_retry', target: agent ?? '*', outcome });
      exchange.reply.json(200, {
        ...{ type: 'dead_letters_retried', retried, kept },
        next: next ? encodeRetryCursor(next) : null,
      });
    },
  });

const retrying = (context: EdgeContext) =>
  defineRoute({
    method: 'POST',
    path: '/v1/dead-letters/:id/retry',
    access: 'admin',
    operate: { shown: { 202: shownAccepted } },
    summary: 'Send the message again, as a new one behind what waits in its session',
    params: letterParams,
    query: z.object(named),
    answers: { 202: { description: 'The new message is accepted', schema: acceptedShape } },
    errors: ['not_found', 'session_not_found', 'inbox_full', 'draining', 'unavailable'],
    async run(exchange, { query }) {
      if (refusesToBegin(context, exchange.reply)) return;
      await retry(context, exchange, query.principal);
    },
  });

async function retry(context: EdgeContext, exchange: Exchange, principal: string | undefined) {
  const { reply, params } = exchange;
  const { id = '' } = params;
  const retried = await context.deadLetters.retry(id, principal);
  logAct(context, exchange, { action: 'dead_letter_retry', target: id, outcome: retried.kind });
  switch (retried.kind) {
    case 'not_found':
      return notFound(exchange);
    case 'gone':
      return reply.error(
        'session_not_found',
        'the session of this dead letter has expired or was ended; the letter is kept',
      );
    case 'full': {
      const { code, text } = refusalOf(retried);
      return reply.error(code, text);
    }
    case 'accepted': {
      const frame = acceptedOf(retried.event, retried.sessionId);
      return reply.json(202, { ...frame, durability: await context.durability.reached() });
    }
  }
}

const deleting = (context: EdgeContext) =>
  defineRoute({
    method: 'DELETE',
    path: '/v1/dead-letters/:id',
    access: 'admin',
    operate: 'refused',
    summary: 'Delete a dead letter',
    params: letterParams,
    query: z.object(named),
    answers: {
      200: {
        description: 'It is gone',
        schema: z.object({ type: z.literal('dead_letter_deleted'), id: z.string() }),
      },
    },
    errors: ['not_found', 'unavailable'],
    async run(exchange, { query }) {
      const { id = '' } = exchange.params;
      const dropped = await context.deadLetters.drop(id, query.principal);
      const outcome = dropped ? 'dropped' : 'not_found';
      logAct(context, exchange, { action: 'dead_letter_delete', target: id, outcome });
      if (dropped) exchange.reply.json(200, { type: 'dead_letter_deleted', id });
      else notFound(exchange);
    },
  });

function notFound({ reply }: Exchange): void {
  reply.error('not_found', 'no such dead letter: it was retried, deleted or pushed out by others');
}

function toJson(letter: DeadLetter): z.infer<typeof letterShape> {
  return {
    id: letter.letterId,
    principal: letter.principal,
    session_id: letter.sessionId,
    agent_id: letter.agent,
    message_id: letter.messageId,
    reason: letter.reason,
    attempts: letter.attempts,
    timestamp: letter.deadAtMs / 1_000,
    accepted_at: letter.acceptedAtMs / 1_000,
    content: letter.content,
    metadata: letter.metadata,
  };
}
