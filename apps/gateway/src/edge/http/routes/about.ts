import { count } from '@sluice/protocol';
import { z } from 'zod';
import { type DescribedRoute, defineRoute } from '../define-route.js';

const infoShape = z.object({
  name: z.literal('sluice'),
  version: z.string(),
  node_id: z.string(),
  agents: z.array(z.object({ id: z.string(), kind: z.string() })),
  sessions: count.meta({ description: 'Sessions with a connection on this node' }),
  connections: count.meta({ description: 'Connections of this node' }),
  live_workers: count,
});

export type Info = z.infer<typeof infoShape>;

export function infoRoute(info: () => Info): DescribedRoute {
  return defineRoute({
    method: 'GET',
    path: '/info',
    access: 'read',
    operate: 'whole',
    summary: 'What this node is and has',
    answers: { 200: { description: 'The node', schema: infoShape } },
    run: ({ reply }) => reply.json(200, info()),
  });
}
