import { Outbound } from '../delivery/outbound.js';
import type { Socket, SocketEvents } from '../network/transport.js';
import type { EdgeContext } from '../session/context.js';
import { type Connection, makeConnection } from './connection.js';
import { detach } from './detach.js';
import { onRefused, onText } from './dispatch.js';

/** The frames of one connection that wait may have this many times `max_payload` characters together. */
const WAITING_PAYLOADS_MAX = 16;

/** Binds each socket to a connection, and hands on what comes from it. `connections` has those that are open. */
export function listenToSockets(context: EdgeContext, connections: Set<Connection>): SocketEvents {
  const bySocket = new WeakMap<Socket, Connection>();
  const on = (socket: Socket, act: (connection: Connection) => void) => {
    const connection = bySocket.get(socket);
    if (connection) act(connection);
  };
  return {
    open(socket) {
      const { limits, metrics } = context;
      const outbound = new Outbound(socket, { ...limits, onSlow: metrics.slowConsumer });
      const connection = makeConnection(socket, outbound, {
        waitingCharsMax: WAITING_PAYLOADS_MAX * limits.maxPayloadBytes,
        onBug: (err) => context.log.error({ err }, 'connection failed inside the gateway'),
      });
      bySocket.set(socket, connection);
      connections.add(connection);
      const { id, identity, remoteAddress: address } = socket;
      context.log.debug(
        { connection: id, principal: identity.principal, address },
        'connection opened',
      );
    },
    message: (socket, text) => on(socket, (connection) => onText(context, connection, text)),
    refused: (socket, code, message) =>
      on(socket, (connection) => onRefused(context, connection, { code, message })),
    drained: (socket) => on(socket, (connection) => connection.outbound.drained()),
    inbound: () => {},
    closed: (socket) =>
      on(socket, (connection) => {
        connection.outbound.closed();
        detach(context, connection);
        connection.state = { kind: 'closed' };
        connections.delete(connection);
        context.log.debug({ connection: socket.id }, 'connection closed');
      }),
  };
}
