import { sessionIdSchema } from '@sluice/protocol';
import { makeId } from '@sluice/runtime';
import { type SessionRef, StoreUnavailable } from '@sluice/store';
import type { EdgeContext } from './context.js';
import { postMessage, type Waits } from './post-message.js';
import { type OpenStreams, streamEvents } from './sse.js';
import type { Exchange, HttpReply, Route } from './transport.js';

export type HttpOptions = {
  readonly streams: OpenStreams;
  /** Requests that wait for a turn: broken off when the drain ends before it. */
  readonly waits: Waits;
  info(): object;
};

/** The HTTP surface for sessions, and `/info`. */
export function makeRoutes(context: EdgeContext, options: HttpOptions): Route[] {
  const notFound = (reply: HttpReply) => reply.error('session_not_found', 'no such session');

  /** Runs with the session that the path names, in the namespace of the caller. */
  const onSession =
    (run: (exchange: Exchange, ref: SessionRef) => Promise<void>) => async (exchange: Exchange) => {
      const { params, identity, reply } = exchange;
      const sessionId = sessionIdSchema.safeParse(params.id);
      if (!sessionId.success) return notFound(reply);
      try {
        await run(exchange, { principal: identity.principal, sessionId: sessionId.data });
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error;
        reply.error('unavailable', 'Redis does not answer; try again');
      }
    };

  /** What would only begin now belongs on another node. */
  const unlessDraining = (run: Route['run']) => (exchange: Exchange) =>
    context.isDraining()
      ? exchange.reply.error('draining', 'this node is stopping; come again, another one answers')
      : run(exchange);

  return [
    {
      method: 'GET',
      path: '/info',
      access: 'read',
      run: ({ reply }) => reply.json(200, options.info()),
    },
    {
      method: 'GET',
      path: '/v1/sessions/:id',
      access: 'read',
      run: onSession(async ({ reply }, ref) => {
        const view = await context.sessions.read(ref, context.limits.maxMessages);
        if (view) reply.json(200, view.state);
        else notFound(reply);
      }),
    },
    {
      method: 'POST',
      path: '/v1/sessions/:id/messages',
      access: 'write',
      run: unlessDraining(
        onSession((exchange, ref) => postMessage(context, exchange, { ref, waits: options.waits })),
      ),
    },
    {
      method: 'GET',
      path: '/v1/sessions/:id/events',
      access: 'read',
      run: unlessDraining(
        onSession(async (exchange, ref) => {
          const refused = await streamEvents(context, exchange, { ref, streams: options.streams });
          if (refused === 'not_found') notFound(exchange.reply);
          if (refused === 'bad_since') {
            exchange.reply.error('invalid_frame', 'since must be a number of at most 15 digits');
          }
        }),
      ),
    },
    {
      method: 'POST',
      path: '/v1/sessions/:id/abort',
      access: 'write',
      run: onSession(async ({ reply }, ref) => {
        const word = await context.inbox.abort(ref, 'user');
        if (word === 'not_found') return notFound(reply);
        const type = word === 'aborting' ? 'aborted' : 'no_active_turn';
        reply.json(200, { type, session_id: ref.sessionId });
      }),
    },
    {
      method: 'DELETE',
      path: '/v1/sessions/:id',
      access: 'write',
      run: onSession(async ({ reply }, ref) => {
        const by = {
          callId: makeId('end'),
          reason: 'Ended by client',
          reasonCode: 'client_end',
        } as const;
        const record = await context.sessions.end(ref, by);
        if (record === undefined) return notFound(reply);
        // Recorded already; should the copy fail, the sweep makes it.
        await context.ends
          .copy(record, context.partitionOf(ref))
          .catch((err) => context.log.warn({ err }, 'session end not copied yet'));
        reply.json(200, { type: 'session_ended', session_id: ref.sessionId });
      }),
    },
  ];
}
