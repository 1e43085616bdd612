import type { Connection } from './connection.js';
import type { EdgeContext } from './context.js';
import type { OpenStreams } from './sse.js';

/** What is open at this node, whichever door it came through. */
export type Open = {
  readonly context: EdgeContext;
  readonly connections: Set<Connection>;
  readonly streams: OpenStreams;
};
