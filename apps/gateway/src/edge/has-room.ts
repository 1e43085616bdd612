import type { Config } from '../config/config-types.js';
import type { OpenStreams } from './http/sse.js';
import type { Connection } from './socket/connection.js';

type Limits = Pick<Config['gateway'], 'maxConnections' | 'maxConnectionsPerPrincipal'>;

/** Whether this node may have another connection or stream of events: in all, and of this principal. */
export function makeHasRoom(
  { maxConnections, maxConnectionsPerPrincipal: most }: Limits,
  connections: ReadonlySet<Connection>,
  streams: OpenStreams,
): (principal: string) => boolean {
  function countOf(principal: string): number {
    let count = 0;
    for (const { socket } of connections) if (socket.identity.principal === principal) count++;
    for (const { identity } of streams) if (identity.principal === principal) count++;
    return count;
  }
  return (principal) => {
    if (connections.size + streams.size >= maxConnections) return false;
    return most === 0 || connections.size + streams.size < most || countOf(principal) < most;
  };
}
