import { durabilities } from '@sluice/protocol';
import { z } from 'zod';
import type { EdgeContext } from '../../session/context.js';
import { type DescribedRoute, defineRoute } from '../define-route.js';
import { logAct, noSuchSession, sessionOf } from '../guards.js';
import { named, sessionParams } from '../shapes.js';

type Verb = 'pause' | 'resume';

const verbs = ['pause', 'resume'] as const;
const said = { pause: 'paused', resume: 'resumed' } as const;

/** Whether turns are paused now, and the durability that this has reached. */
const standing = {
  paused: z
    .boolean()
    .meta({ description: "After a resume: true if the session's agent is still paused" }),
  durability: z.enum(durabilities),
};

/** Pause and resume of sessions and agents, for the whole cluster (P1, P2). */
export function pauseRoutes(context: EdgeContext): DescribedRoute[] {
  return verbs.flatMap((verb) => [ofSession(context, verb), ofAgent(context, verb)]);
}

const ofSession = (context: EdgeContext, verb: Verb) =>
  defineRoute({
    method: 'POST',
    path: `/v1/sessions/:id/${verb}`,
    access: 'admin',
    operate: 'whole',
    summary:
      verb === 'pause'
        ? 'Let no further turn of a session begin; messages are accepted and wait'
        : 'Let a session that was paused go on',
    params: sessionParams,
    query: z.object(named),
    answers: {
      200: {
        description: 'The pause or resume is in force on every node',
        schema: z.object({
          type: z.literal(`session_${said[verb]}`),
          session_id: z.string(),
          ...standing,
        }),
      },
    },
    errors: ['session_not_found', 'unavailable'],
    async run(exchange, { query }) {
      const of = query.principal ?? exchange.identity.principal;
      const ref = sessionOf(context, exchange, { action: `session_${verb}`, of });
      if (!ref) return;
      const set = await context.pauses.session(ref, verb === 'pause');
      if (set.kind === 'not_found') return noSuchSession(exchange.reply);
      exchange.reply.json(200, {
        type: `session_${said[verb]}`,
        session_id: ref.sessionId,
        paused: set.isPaused,
        durability: await context.durability.reached(ref),
      });
    },
  });

const ofAgent = (context: EdgeContext, verb: Verb) =>
  defineRoute({
    method: 'POST',
    path: `/v1/agents/:id/${verb}`,
    access: 'admin',
    operate: 'whole',
    summary:
      verb === 'pause'
        ? 'Let no further turn of an agent begin; messages are accepted and wait'
        : 'Let an agent that was paused go on',
    params: z.object({ id: z.string() }),
    answers: {
      200: {
        description: 'The pause or resume is in force on every node',
        schema: z.object({
          type: z.literal(`agent_${said[verb]}`),
          agent_id: z.string(),
          ...standing,
        }),
      },
    },
    errors: ['agent_not_found', 'unavailable'],
    async run(exchange) {
      const { reply, params } = exchange;
      const { id: agent = '' } = params;
      const act = { action: `agent_${verb}`, target: agent };
      // A paused agent that no node has any more can still be resumed.
      if (!context.hasAgent(agent) && !(await context.pauses.agents()).includes(agent)) {
        logAct(context, exchange, { ...act, outcome: 'not_found' });
        return reply.error('agent_not_found', `no agent "${agent}": see GET /v1/agents`);
      }
      await context.pauses.agent(agent, verb === 'pause');
      logAct(context, exchange, { ...act, outcome: said[verb] });
      reply.json(200, {
        type: `agent_${said[verb]}`,
        agent_id: agent,
        paused: verb === 'pause',
        durability: await context.durability.reached(),
      });
    },
  });
