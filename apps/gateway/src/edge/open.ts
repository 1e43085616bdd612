import type { OpenStreams } from './http/sse.js';
import type { EdgeContext } from './session/context.js';
import type { Connection } from './socket/connection.js';

/** What is open at this node, whichever door it came through. */
export type Open = {
  readonly context: EdgeContext;
  readonly connections: Set<Connection>;
  readonly streams: OpenStreams;
};
