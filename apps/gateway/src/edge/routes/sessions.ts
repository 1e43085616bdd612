import { makeId } from '@sluice/runtime';
import type { EdgeContext } from '../context.js';
import { postMessage, type Waits } from '../post-message.js';
import { type OpenStreams, streamEvents } from '../sse.js';
import type { Route } from '../transport.js';
import { noSuchSession, onSession, unlessDraining } from './guards.js';

export type Kept = {
  readonly streams: OpenStreams;
  /** Requests that wait for a turn: broken off when the drain ends before it. */
  readonly waits: Waits;
};

/** A session over HTTP, for its principal. */
export function sessionRoutes(context: EdgeContext, { streams, waits }: Kept): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/sessions/:id',
      access: 'read',
      run: onSession(context, 'session_read', async ({ reply }, ref) => {
        const view = await context.sessions.read(ref, context.limits.maxMessages);
        if (view) reply.json(200, view.state);
        else noSuchSession(reply);
      }),
    },
    {
      method: 'POST',
      path: '/v1/sessions/:id/messages',
      access: 'write',
      run: unlessDraining(
        context,
        onSession(context, 'message_send', (exchange, ref) =>
          postMessage(context, exchange, { ref, waits }),
        ),
      ),
    },
    {
      method: 'GET',
      path: '/v1/sessions/:id/events',
      access: 'read',
      run: unlessDraining(
        context,
        onSession(context, 'events_read', async (exchange, ref) => {
          const refused = await streamEvents(context, exchange, { ref, streams });
          if (refused === 'not_found') noSuchSession(exchange.reply);
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
      run: onSession(context, 'session_abort', async ({ reply }, ref) => {
        const word = await context.inbox.abort(ref, 'user');
        if (word === 'not_found') return noSuchSession(reply);
        const type = word === 'aborting' ? 'aborted' : 'no_active_turn';
        reply.json(200, { type, session_id: ref.sessionId });
      }),
    },
    {
      method: 'DELETE',
      path: '/v1/sessions/:id',
      access: 'write',
      run: onSession(context, 'session_delete', async ({ reply }, ref) => {
        const by = {
          callId: makeId('end'),
          reason: 'Ended by client',
          reasonCode: 'client_end',
        } as const;
        const record = await context.sessions.end(ref, by);
        if (record === undefined) return noSuchSession(reply);
        // Recorded already; should the copy fail, the sweep makes it.
        await context.ends
          .copy(record, context.partitionOf(ref))
          .catch((err) => context.log.warn({ err }, 'session end not copied yet'));
        reply.json(200, { type: 'session_ended', session_id: ref.sessionId });
      }),
    },
  ];
}
