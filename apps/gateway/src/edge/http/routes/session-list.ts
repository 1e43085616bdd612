import { count, jsonObject, seconds } from '@sluice/protocol';
import type { SessionSummary } from '@sluice/store';
import { z } from 'zod';
import { costs } from '../../limits/costs.js';
import type { Exchange } from '../../network/transport.js';
import type { EdgeContext } from '../../session/context.js';
import { encodeSessionCursor, sessionCursor } from '../cursors.js';
import { type DescribedRoute, defineRoute } from '../define-route.js';
import { logAct } from '../guards.js';
import { named, nextShape, only, pageSize } from '../shapes.js';

const state = z.enum(['executing', 'pending', 'idle']).meta({
  description: '`pending`: messages wait, and no turn runs',
});

const listedShape = z
  .object({
    session_id: z.string(),
    agent_id: z.string(),
    principal: z.string(),
    state,
    pending: count,
    paused: z.boolean().meta({ description: 'It is, or its agent: no turn of it begins' }),
    holder: z.string().nullable(),
    created_at: seconds,
    last_activity: seconds,
    metadata: jsonObject,
  })
  .meta({ id: 'ListedSession' });

const shownListed = only(
  listedShape,
  ...(['session_id', 'agent_id', 'principal', 'state', 'pending', 'paused'] as const),
  ...(['holder', 'created_at', 'last_activity'] as const),
);

/** `GET /v1/sessions`: the sessions of the caller; for scopes `admin` and `operate` all, or those of `?principal=`. */
export function sessionListRoute(context: EdgeContext): DescribedRoute {
  return defineRoute({
    method: 'GET',
    path: '/v1/sessions',
    access: 'read',
    cost: (query) => (query.has('state') || query.has('agent_id') ? costs.search : costs.list),
    operate: {
      shown: { 200: z.object({ sessions: z.array(shownListed), next: nextShape }) },
      everybodys: true,
    },
    summary:
      "The caller's own sessions, the last used first; for scopes admin and operate everybody's",
    query: z.object({
      ...named,
      state: state.optional(),
      agent_id: z.string().min(1).max(128).optional(),
      after: sessionCursor.optional(),
      limit: pageSize(),
    }),
    answers: {
      200: {
        description: 'One page; it may be short, also when others follow',
        schema: z.object({ sessions: z.array(listedShape), next: nextShape }),
      },
    },
    errors: ['unavailable'],
    async run(exchange, { query }) {
      const { state, agent_id: agent, after, limit } = query;
      const principal = ownerOf(context, exchange, query.principal);
      const request = { principal, agent, state, after, count: limit };
      const { sessions, next } = await context.sessionList.list(request);
      exchange.reply.json(200, {
        sessions: sessions.map(toJson),
        next: next ? encodeSessionCursor(next) : null,
      });
    },
  });
}

/** The principal whose sessions are listed; undefined: of all principals. */
function ownerOf(context: EdgeContext, exchange: Exchange, of: string | undefined) {
  if (exchange.standing === 'caller') return exchange.identity.principal;
  logAct(context, exchange, { action: 'sessions_list', target: of ?? '*' });
  return of;
}

function toJson(session: SessionSummary): z.infer<typeof listedShape> {
  return {
    session_id: session.sessionId,
    agent_id: session.agent,
    principal: session.principal,
    state: session.state,
    pending: session.pending,
    paused: session.isPaused,
    holder: session.holder ?? null,
    created_at: session.createdAtMs / 1_000,
    last_activity: session.lastActivityMs / 1_000,
    metadata: session.metadata,
  };
}
