import { count } from '@sluice/protocol';
import { jsonObject, type NodeBeat, nodeLife } from '@sluice/store';
import { z } from 'zod';
import type { EdgeContext } from '../../session/context.js';
import { type DescribedRoute, defineRoute } from '../define-route.js';
import { logAct } from '../guards.js';

const loadShape = z.object({
  connections: count.meta({ description: 'WebSockets that are open' }),
  executing: count.meta({ description: 'Turns that run' }),
  concurrency: count.optional().meta({ description: 'How many may run (`worker.concurrency`)' }),
});

/** What the beat of a node says of it; a node of another release may say less. */
const aboutSchema = z.object({
  version: z.string().nullable().catch(null),
  roles: z.array(z.string()).catch([]),
  agents: z.array(z.string()).catch([]),
  load: loadShape.nullable().catch(null),
});

const nodeShape = z
  .object({
    node_id: z.string(),
    state: z.enum(['live', 'draining', 'silent']).meta({
      description: '`silent`: no sign of life for three seconds; forgotten after a minute',
    }),
    beat_age_ms: count,
    version: z.string().nullable(),
    roles: z.array(z.string()),
    agents: z.array(z.string()),
    load: loadShape.nullable(),
  })
  .meta({ id: 'Node' });

type Node = z.infer<typeof nodeShape>;

const agentShape = z.object({
  agent_id: z.string(),
  nodes: z.array(z.string()).meta({ description: 'Live workers that have it' }),
  paused: z.boolean(),
});

/** The paths for the nodes and agents of the cluster, for operators. */
export function nodeRoutes(context: EdgeContext): DescribedRoute[] {
  return [nodeListing(context), draining(context), agentListing(context)];
}

const nodeListing = (context: EdgeContext) =>
  defineRoute({
    method: 'GET',
    path: '/v1/nodes',
    access: 'admin',
    operate: 'whole',
    summary: 'Who is alive, with which roles, agents and load, and who drains',
    answers: {
      200: { description: 'By node id', schema: z.object({ nodes: z.array(nodeShape) }) },
    },
    errors: ['unavailable'],
    async run(exchange) {
      logAct(context, exchange, { action: 'nodes_list', target: '*' });
      exchange.reply.json(200, { nodes: await listNodes(context) });
    },
  });

const draining = (context: EdgeContext) =>
  defineRoute({
    method: 'POST',
    path: '/v1/nodes/:id/drain',
    access: 'admin',
    operate: 'whole',
    summary: 'Drain a node, as SIGTERM does; its process then ends',
    params: z.object({ id: z.string() }),
    answers: {
      202: {
        description: 'The node was told',
        schema: z.object({ type: z.literal('drain_requested'), node_id: z.string() }),
      },
    },
    errors: ['not_found', 'unavailable'],
    async run(exchange) {
      const { reply, params } = exchange;
      const node = (await context.nodes.list()).find((beat) => beat.node === params.id);
      const act = { action: 'node_drain', target: node?.node ?? params.id ?? '' };
      if (!node) {
        logAct(context, exchange, { ...act, outcome: 'not_found' });
        return reply.error('not_found', 'no such node: see GET /v1/nodes');
      }
      const heard = await context.nodes.askToDrain(node.node);
      logAct(context, exchange, { ...act, outcome: heard ? 'told' : 'not_heard' });
      if (heard) reply.json(202, { type: 'drain_requested', node_id: node.node });
      else reply.error('unavailable', 'the node does not listen: it has ended, or lost Redis');
    },
  });

const agentListing = (context: EdgeContext) =>
  defineRoute({
    method: 'GET',
    path: '/v1/agents',
    access: 'admin',
    operate: 'whole',
    summary: 'The agents of the cluster, which live workers have them, and which are paused',
    answers: {
      200: { description: 'By agent id', schema: z.object({ agents: z.array(agentShape) }) },
    },
    errors: ['unavailable'],
    async run(exchange) {
      logAct(context, exchange, { action: 'agents_list', target: '*' });
      const [nodes, paused] = await Promise.all([listNodes(context), context.pauses.agents()]);
      const names = new Set([...nodes.flatMap(({ agents }) => agents), ...paused]);
      const workersWith = (agent: string) =>
        nodes
          .filter(({ state, roles }) => state === 'live' && roles.includes('worker'))
          .filter(({ agents }) => agents.includes(agent))
          .map(({ node_id }) => node_id);
      exchange.reply.json(200, {
        agents: [...names].sort().map((agent_id) => ({
          agent_id,
          nodes: workersWith(agent_id),
          paused: paused.includes(agent_id),
        })),
      });
    },
  });

async function listNodes(context: EdgeContext): Promise<Node[]> {
  const nodes = (await context.nodes.list()).map(toJson);
  return nodes.sort((a, b) => (a.node_id < b.node_id ? -1 : 1));
}

function toJson(beat: NodeBeat): Node {
  return {
    node_id: beat.node,
    state: nodeLife(beat),
    beat_age_ms: Math.max(0, beat.ageMs),
    ...aboutSchema.parse(jsonObject(beat.info) ?? {}),
  };
}
