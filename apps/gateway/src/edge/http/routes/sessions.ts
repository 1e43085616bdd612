import { jsonObject, schemas } from '@sluice/protocol';
import type { SessionWork } from '@sluice/store';
import { z } from 'zod';
import { costs } from '../../limits/costs.js';
import type { EdgeContext } from '../../session/context.js';
import { abortedShape, abortSession } from '../abort-session.js';
import { encodeHistoryPlace, historyPlace } from '../cursors.js';
import { type DescribedRoute, defineRoute } from '../define-route.js';
import { endedAnswer, endSession } from '../end-session.js';
import { noSuchSession, sessionOf } from '../guards.js';
import {
  named,
  pageSize,
  sessionParams,
  sessionShape,
  shownSession,
  type workShape,
} from '../shapes.js';

/**
 * Limits of one page of the history, which has at least one message. While a page is made nobody else is served: 20 ms
 * for each MiB.
 */
const MESSAGES_MAX = 1_000;
const MESSAGE_BYTES_MAX = 1024 * 1024;

/** One session over HTTP: reading, metadata, stopping and ending it. */
export function sessionRoutes(context: EdgeContext): DescribedRoute[] {
  return [reading(context), patching(context), aborting(context), ending(context)];
}

const reading = (context: EdgeContext) =>
  defineRoute({
    method: 'GET',
    path: '/v1/sessions/:id',
    access: 'read',
    operate: { shown: { 200: shownSession } },
    summary: 'The persisted shape of a session, with its newest messages or older ones',
    cost: costs.read,
    params: sessionParams,
    query: z.object({
      ...named,
      before: historyPlace.optional(),
      limit: pageSize(MESSAGES_MAX, MESSAGES_MAX),
    }),
    answers: { 200: { description: 'The session', schema: sessionShape } },
    errors: ['session_not_found', 'unavailable'],
    async run(exchange, { query }) {
      const ref = sessionOf(context, exchange, { action: 'session_read', of: query.principal });
      if (!ref) return;
      const { reply } = exchange;
      const { before, limit } = query;
      const page = { before, count: limit, maxBytes: MESSAGE_BYTES_MAX };
      const { principal: by } = exchange.identity;
      const view = await context.reads.read(ref, page, { by, isGone: () => reply.aborted });
      if (!view) return noSuchSession(reply);
      const older = view.older ? encodeHistoryPlace(view.older) : null;
      const work = exchange.standing === 'caller' ? {} : { work: workJson(view.work) };
      reply.json(200, { ...view.state, older, ...work });
    },
  });

const workJson = ({ oldest, ...work }: SessionWork): z.infer<typeof workShape> => ({
  principal: work.principal,
  lease_left_ms: work.leaseLeftMs,
  oldest_message_id: oldest?.messageId ?? null,
  oldest_accepted_at: oldest ? oldest.acceptedAtMs / 1_000 : null,
  hand_overs: work.handOvers,
  abort: work.abort || null,
  rung: work.isRung,
});

const patching = (context: EdgeContext) =>
  defineRoute({
    method: 'PATCH',
    path: '/v1/sessions/:id',
    access: 'write',
    operate: 'refused',
    summary: 'Merge metadata into that of a session (RFC 7396: null removes a field)',
    params: sessionParams,
    query: z.object(named),
    body: z.strictObject({ metadata: jsonObject }),
    answers: {
      200: {
        description: 'All of its metadata',
        schema: z.object({ session_id: z.string(), metadata: jsonObject }),
      },
    },
    errors: ['session_not_found', 'unavailable'],
    async run(exchange, { query, body }) {
      const ref = sessionOf(context, exchange, { action: 'session_patch', of: query.principal });
      if (!ref) return;
      const { reply } = exchange;
      const maxBytes = context.limits.maxMetadataBytes;
      const patch = body.metadata;
      const patched = await context.sessions.patchMetadata(ref, { patch, maxBytes });
      switch (patched.kind) {
        case 'not_found':
          return noSuchSession(reply);
        case 'too_large': {
          const text = `the metadata of a session has at most ${maxBytes} bytes`;
          return reply.error('payload_too_large', text);
        }
        case 'patched':
          return reply.json(200, { session_id: ref.sessionId, metadata: patched.metadata });
      }
    },
  });

/** The body of an abort: the frame without its type. */
const abortBody = schemas.abort.omit({ type: true });

const aborting = (context: EdgeContext) =>
  defineRoute({
    method: 'POST',
    path: '/v1/sessions/:id/abort',
    access: 'write',
    operate: 'refused',
    summary: 'Stop the message that the body names, else the head: begun or waiting',
    params: sessionParams,
    query: z.object(named),
    body: abortBody,
    isBodyOptional: true,
    answers: {
      200: { description: 'Which message is stopped, or that none is', schema: abortedShape },
    },
    errors: ['session_not_found', 'unavailable'],
    async run(exchange, { query, body }) {
      const ref = sessionOf(context, exchange, { action: 'session_abort', of: query.principal });
      if (!ref) return;
      const frame = { ...body, reason: body.reason ?? 'user' };
      await abortSession(context, exchange.reply, { ref, frame });
    },
  });

const ending = (context: EdgeContext) =>
  defineRoute({
    method: 'DELETE',
    path: '/v1/sessions/:id',
    access: 'write',
    operate: 'refused',
    summary: 'End the session',
    params: sessionParams,
    query: z.object(named),
    answers: endedAnswer,
    errors: ['session_not_found', 'unavailable'],
    async run(exchange, { query }) {
      const ref = sessionOf(context, exchange, { action: 'session_delete', of: query.principal });
      if (!ref) return;
      const by = { reason: 'Ended by client', reasonCode: 'client_end' } as const;
      await endSession(context, exchange.reply, { ref, by });
    },
  });
