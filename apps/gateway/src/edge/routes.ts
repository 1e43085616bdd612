import type { DescribedRoute } from './http/define-route.js';
import { type Info, infoRoute } from './http/routes/about.js';
import { deadLetterRoutes } from './http/routes/dead-letters.js';
import { documentRoute } from './http/routes/document.js';
import { messageRoutes, type OpenRequests } from './http/routes/messages.js';
import { nodeRoutes } from './http/routes/nodes.js';
import { pauseRoutes } from './http/routes/pauses.js';
import { sessionEndRoutes } from './http/routes/session-ends.js';
import { sessionListRoute } from './http/routes/session-list.js';
import { sessionRoutes } from './http/routes/sessions.js';
import { socketPathRoute } from './http/routes/socket-path.js';
import type { EdgeContext } from './session/context.js';

type Options = OpenRequests & {
  info(): Info;
  /** Probes and metrics: the caller serves them; the document describes them too. */
  readonly own: readonly DescribedRoute[];
};

/** The paths of the role `edge`. Those in `own`, the page and the socket's path are served by a node of any role. */
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
