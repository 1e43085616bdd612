import type { EdgeContext } from '../context.js';
import { type Info, infoRoute } from './about.js';
import { deadLetterRoutes } from './dead-letters.js';
import type { DescribedRoute } from './define-route.js';
import { documentRoute } from './document.js';
import { type Kept, messageRoutes } from './messages.js';
import { nodeRoutes } from './nodes.js';
import { pauseRoutes } from './pauses.js';
import { sessionEndRoutes } from './session-ends.js';
import { sessionListRoute } from './session-list.js';
import { sessionRoutes } from './sessions.js';
import { socketPathRoute } from './socket-path.js';

type Options = Kept & {
  info(): Info;
  /** Probes and metrics: served beside these, described with them. */
  readonly own: readonly DescribedRoute[];
};

/** The HTTP surface of the edge; what is in `own`, the page and the socket's path are served whatever the roles. */
export function makeRoutes(context: EdgeContext, options: Options): DescribedRoute[] {
  const routes = [
    infoRoute(options.info),
    sessionListRoute(context),
    ...sessionRoutes(context),
    ...messageRoutes(context, options),
    ...deadLetterRoutes(context),
    ...nodeRoutes(context),
    ...pauseRoutes(context),
    ...sessionEndRoutes(context),
  ];
  return [...routes, documentRoute([...options.own, ...routes, socketPathRoute])];
}
