import type { Durability } from '@sluice/protocol';
import {
  exitStatus,
  type Logger,
  monotonicMs,
  type RedisMetrics,
  StartError,
  sleep,
} from '@sluice/runtime';
import type { Cluster, Redis } from 'ioredis';
import type { Keys } from '../keys/keys.js';
import { watchSwitches } from '../primary/switches.js';
import type { LimitArgs } from '../script/limits.js';
import { isCertificateFault, tlsAlert } from '../server/tls-alert.js';
import type { RedisAddress } from './address.js';
import type { Channels } from './channels.js';
import { connectionName, openForRings } from './clients.js';
import type { Connection } from './connect.js';
import { probeWrite, watchConnections } from './connections-watch.js';
import type { DurabilityWait } from './durability.js';
import type { MemoryWatch } from './memory.js';
import { openServer, replication } from './server.js';
import { startFault } from './start-fault.js';
import { isReply } from './unavailable.js';

/** How long a start waits for Redis before it leaves the retry to the supervisor (75). */
export const START_WAIT_MS = 5_000;

/** Longest blocking wait of BullMQ for a ring: short, so that a silent Redis is noticed (C3). */
export const RING_BLOCK_MS = 2_000;

export type ConnectionsOptions = {
  readonly limits: LimitArgs;
  readonly address: RedisAddress;
  readonly nodeId: string;
  readonly keys: Keys;
  readonly memory: MemoryWatch;
  readonly calls?: RedisMetrics | undefined;
  /** Ends a start that still waits for Redis. */
  readonly stop?: AbortSignal | undefined;
  readonly log: Logger;
};

/** The connections of one node. Each has a name and is checked as long as it is open (connection-proof.ts). */
export type Connections = {
  readonly commands: Connection;
  /** For large reads, which would hold up everything on the other one. */
  readonly bulk: Connection;
  /** BullMQ's, which makes its blocking connections as duplicates of it. */
  readonly rings: Redis | Cluster;
  readonly channels: Channels;
  /** Whether this node can be used: every connection to the one Redis, or to some master, does its work. */
  isBeating(): boolean;
  /** Each server, with the client for commands to it. */
  servers(): readonly { readonly client: Redis; isHere(key: string): boolean }[];
  /** Throws StartError: 78 when a server cannot reach the level, 75 when it is not reachable. */
  openDurability(level: Durability): Promise<DurabilityWait>;
  /** Whether calls about this key would be sent now. */
  isReadyFor(key: string): boolean;
  /** Names the server that has this key. */
  serverOf(key: string): string;
  onError(error: unknown): void;
  close(): Promise<void>;
};

/** Opens them all. Throws StartError: 75 when Redis cannot be reached, 78 when it needs another configuration. */
export async function openConnections(options: ConnectionsOptions): Promise<Connections> {
  const { address, nodeId, keys, memory, limits, calls, log } = options;
  let reason: unknown = new Error('no answer');
  const onError = (err: unknown) => {
    reason = err;
    log.debug({ err }, 'redis connection failed');
  };
  const pulse = watchConnections(log);
  const serverKeys = keys.server();
  const server = openServer(address, {
    ...{ nodeId, limits, calls, pulse, onError, log },
    keys: () => serverKeys,
    onMemory: memory.look,
  });
  const rings = openForRings(address, nodeId, (blocking) => {
    blocking.on('error', onError);
    pulse.add(blocking, { part: 'blocking', heldMs: RING_BLOCK_MS, ask: replication });
  });
  rings.on('error', onError);
  const askRings = async (client: Redis) => {
    const probed = probeWrite(client, serverKeys.ringPulse);
    const [info] = await Promise.all([replication(client), probed]);
    return info;
  };
  const proofs = [...server.proofs, pulse.add(rings, { part: 'ring', ask: askRings })];
  const switches =
    address.sentinel &&
    watchSwitches(address.sentinel, {
      clientName: connectionName(nodeId, 'sentinel'),
      tls: address.tls,
      onSwitch: pulse.leaveOthers,
    });
  const close = async () => {
    pulse.stop();
    switches?.close();
    server.close();
    rings.disconnect();
  };

  const untilMs = monotonicMs() + START_WAIT_MS;
  const late = () => proofs.map((proof) => proof.state()).find(({ isReady }) => !isReady);
  while (!server.isReady() || late()) {
    const isStopped = options.stop?.aborted === true;
    const said = late()?.refusedBy;
    if (
      monotonicMs() >= untilMs ||
      isStopped ||
      isFinal(reason) ||
      isCertificateFault(said ?? '')
    ) {
      await close();
      if (isStopped) throw new StartError('told to stop before Redis answered', exitStatus.ok);
      throw startFault(address, said === undefined ? reason : new Error(said));
    }
    await sleep(10);
  }
  const { commands, bulk, channels } = server;
  return {
    ...{ commands, bulk, rings, channels, onError, close },
    openDurability: (level) => server.openDurability(level, true),
    isBeating: pulse.isBeating,
    isReadyFor: () => commands.isReady(),
    serverOf: () => '',
    servers: () => [{ client: commands.client, isHere: () => true }],
  };
}

/**
 * A reply such as "wrong password", or a certificate that is not taken, needs no further try; loading, a busy script or
 * too many clients may pass.
 */
export const isFinal = (error: unknown): boolean =>
  isReply(error)
    ? !/^(LOADING|BUSY\b|ERR max number of clients)/.test(error.message)
    : error instanceof Error && isCertificateFault(tlsAlert(error.message) ?? error.message);
