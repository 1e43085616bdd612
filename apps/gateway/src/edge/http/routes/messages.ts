import { cursorSchema } from '@sluice/protocol';
import { clientFrames } from '@sluice/protocol/json-schema';
import { z } from 'zod';
import { costs } from '../../limits/costs.js';
import type { EdgeContext } from '../../session/context.js';
import { abortedShape } from '../abort-session.js';
import { type DescribedRoute, defineRoute } from '../define-route.js';
import { noSuchSession, refusesToBegin, sessionOf } from '../guards.js';
import { postMessage, type Waits } from '../post-message.js';
import { acceptedShape, finalShape, named, sessionParams } from '../shapes.js';
import { type OpenStreams, streamEvents } from '../sse.js';

/** What stays open beyond its route's call, for a drain to end. */
export type OpenRequests = {
  readonly streams: OpenStreams;
  /** Requests that wait for a turn; a drain that ends before it cuts them. */
  readonly waits: Waits;
};

const wait = z.coerce.number().nonnegative().default(0);
/** An empty `?since=` counts as none. */
const since = z
  .string()
  .regex(/^\d{0,32}$/, { error: 'must be a whole number from 0 on' })
  .default('')
  .transform((digits) => cursorSchema.parse(digits === '' ? 0 : digits));

/** Messages into a session and its events out of it. */
export function messageRoutes(
  context: EdgeContext,
  { streams, waits }: OpenRequests,
): DescribedRoute[] {
  return [
    defineRoute({
      method: 'POST',
      path: '/v1/sessions/:id/messages',
      access: 'write',
      cost: 0, // it draws from the limit of messages instead
      operate: 'refused',
      summary: 'Send a message; with agent_id it starts the session when there is none',
      params: sessionParams,
      query: z.object({
        ...named,
        wait: wait.meta({ description: 'Seconds to wait for the outcome, at most 600' }),
      }),
      frame: clientFrames.message,
      answers: {
        200: {
          description:
            'The outcome, and its status in the header Sluice-Outcome; of a text that is /stop or stop: ' +
            'whether a turn is being stopped',
          schema: z.union([finalShape, abortedShape]),
        },
        202: { description: 'The message is accepted', schema: acceptedShape },
      },
      errors: [
        'session_not_found',
        'session_ended',
        'agent_not_found',
        'wrong_agent',
        'busy',
        'inbox_full',
        'rate_limited',
        'draining',
        'unavailable',
      ],
      async run(exchange, { query }) {
        exchange.reply.onError(context.metrics.message);
        if (refusesToBegin(context, exchange.reply)) return;
        const ref = sessionOf(context, exchange, { action: 'message_send', of: query.principal });
        if (ref) await postMessage(context, exchange, { ref, waits, waitS: query.wait });
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/v1/sessions/:id/events',
      access: 'read',
      cost: costs.attach,
      operate: 'refused',
      summary: 'The event log as Server-Sent Events, `id:` = `epoch:seq`; honours Last-Event-ID',
      params: sessionParams,
      query: z.object({
        ...named,
        since: since.meta({ description: 'The last seq that the reader has' }),
      }),
      answers: { 200: { description: 'The events', contentType: 'text/event-stream' } },
      errors: ['session_not_found', 'rate_limited', 'draining', 'unavailable'],
      async run(exchange, { query }) {
        const { principal, since } = query;
        if (refusesToBegin(context, exchange.reply)) return;
        const ref = sessionOf(context, exchange, { action: 'events_read', of: principal });
        if (!ref) return;
        const refused = await streamEvents(context, exchange, { ref, streams, since });
        if (refused === 'not_found') noSuchSession(exchange.reply);
        if (refused === 'no_room') {
          const text = 'this node has as many connections as it may; come again';
          exchange.reply.error('rate_limited', text);
        }
      },
    }),
  ];
}
