import type { EdgeContext } from '../context.js';
import type { Route } from '../transport.js';
import { deadLetterRoutes } from './dead-letters.js';
import { type Kept, sessionRoutes } from './sessions.js';

/** The HTTP surface of the edge; probes, the page and the socket's path are the server's own. */
export function makeRoutes(context: EdgeContext, options: Kept & { info(): object }): Route[] {
  return [
    {
      method: 'GET',
      path: '/info',
      access: 'read',
      run: ({ reply }) => reply.json(200, options.info()),
    },
    ...sessionRoutes(context, options),
    ...deadLetterRoutes(context),
  ];
}
