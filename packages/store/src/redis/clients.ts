import { Redis } from 'ioredis';
import { connectionOptions, type RedisAddress } from './address.js';

/** Parts of a node that have a connection of their own. */
export type ConnectionPart =
  | 'commands'
  | 'bulk'
  | 'subscriber'
  | 'ring'
  | 'blocking'
  | 'durability'
  | `quorum-${number}`;

/** Names a connection in `CLIENT LIST`; `sentinel`: at the sentinels. */
export function connectionName(nodeId: string, part: ConnectionPart | 'sentinel'): string {
  return `sluice:${nodeId}:${part}`;
}

/** Time for a silent peer to answer the end of a connection; then its socket is destroyed. */
const DISCONNECT_MS = 100;
const alike = {
  connectTimeout: 2_000,
  disconnectTimeout: DISCONNECT_MS,
  // While Redis loads its data, ioredis asks at least this often whether it is done.
  maxLoadingRetryTime: 500,
};

/** A client that fails at once while Redis is away, and never sends a call again by itself. */
export function openFailFast(
  address: RedisAddress,
  name: string | undefined,
  commandTimeoutMs: number,
): Redis {
  return new Redis({
    ...connectionOptions(address),
    ...(name === undefined ? {} : { connectionName: name }),
    enableOfflineQueue: false,
    // 0: calls under way fail together with the connection. With 1 they would wait for a second loss, and
    // end by their own timeout: then connect.ts would not send them again.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    commandTimeout: commandTimeoutMs,
    ...alike,
  });
}

/** For publish/subscribe and BullMQ: waits for Redis instead of failing. */
export function openWaiting(address: RedisAddress, name: string): Redis {
  return new Redis({
    ...connectionOptions(address),
    connectionName: name,
    autoResubscribe: false, // channels.ts does it, to know when it is done
    maxRetriesPerRequest: null,
    ...alike,
  });
}

/** BullMQ makes its blocking connection as a duplicate of this one; `onBlocking` gets that. */
export function openForRings(
  address: RedisAddress,
  nodeId: string,
  onBlocking: (client: Redis) => void,
): Redis {
  const client = openWaiting(address, connectionName(nodeId, 'ring'));
  client.duplicate = () => {
    const blocking = openWaiting(address, connectionName(nodeId, 'blocking'));
    onBlocking(blocking);
    return blocking;
  };
  return client;
}
