import {
  exitStatus,
  type Logger,
  monotonicMs,
  type RedisMetrics,
  StartError,
  sleep,
} from '@sluice/runtime';
import type { Redis } from 'ioredis';
import type { Keys } from '../keys/keys.js';
import type { LimitArgs } from '../script/limits.js';
import type { RedisAddress } from './address.js';
import { type Channels, makeChannels } from './channels.js';
import { type ConnectionPart, connectionName, openForRings, openWaiting } from './clients.js';
import { type Connection, connect } from './connect.js';
import { type ConnectionsWatch, probeWrite, watchConnections } from './connections-watch.js';
import type { MemoryWatch } from './memory.js';
import { startFault } from './start-fault.js';
import { isReply } from './unavailable.js';

/** How long a start waits for Redis before it leaves the retry to the supervisor (75). */
const START_WAIT_MS = 5_000;

/** Longest blocking wait of BullMQ for a ring: short, so that a silent Redis is noticed (C3). */
export const RING_BLOCK_MS = 2_000;
/** How late an answer for `bulk` may be: large replies that were asked for before come first. */
const BULK_MS = 2_000;
/** The same for `durability`: a wait holds back what is sent after it. */
const COPY_WAIT_MS = 1_000;

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
  /** BullMQ's, which makes its blocking connection as a duplicate of it. */
  readonly rings: Redis;
  readonly channels: Channels;
  readonly pulse: ConnectionsWatch;
  /** Checks a connection that a node can do without: it is replaced when it fails, but is never a fault. */
  addSpare(client: Redis): void;
  onError(error: unknown): void;
  close(): Promise<void>;
};

/** Opens them all. Throws StartError: 75 when Redis cannot be reached, 78 when it needs another configuration. */
export async function openConnections(options: ConnectionsOptions): Promise<Connections> {
  const { address, nodeId, keys, memory, log } = options;
  let reason: unknown = new Error('no answer');
  const onError = (err: unknown) => {
    reason = err;
    log.debug({ err }, 'redis connection failed');
  };
  const pulse = watchConnections(log);
  const replication = (client: Redis) =>
    // A subscriber of the older protocol may send only PING.
    client.mode === 'subscriber' ? client.ping().then(() => '') : client.info('replication');
  const patient = (part: ConnectionPart) => {
    const client = openWaiting(address, connectionName(nodeId, part));
    client.on('error', onError);
    return client;
  };

  const forCalls = (part: ConnectionPart, onReady: () => void) =>
    connect(address, {
      name: connectionName(nodeId, part),
      onError,
      onReady,
      calls: options.calls,
      limits: options.limits,
    });
  const commands = forCalls('commands', () => log.debug('redis connected'));
  const bulk = forCalls('bulk', () => {});
  const askCommands = async (client: Redis) => {
    const asked = client.info('memory', 'replication');
    asked.then(memory.look, () => undefined);
    const [info] = await Promise.all([asked, probeWrite(client, keys.pulse)]);
    return info;
  };
  const subscriber = patient('subscriber');
  const channels = makeChannels(subscriber);
  const rings = openForRings(address, nodeId, (blocking) => {
    blocking.on('error', onError);
    pulse.add(blocking, { part: 'blocking', heldMs: RING_BLOCK_MS, ask: replication });
  });
  rings.on('error', onError);
  const proofs = [
    pulse.add(commands.client, { part: 'commands', ask: askCommands }),
    pulse.add(bulk.client, { part: 'bulk', heldMs: BULK_MS, ask: replication }),
    pulse.add(subscriber, {
      part: 'subscriber',
      ask: async (client) => {
        if (channels.subscribeError) throw channels.subscribeError;
        // Nobody hears it: it only shows whether the user may publish.
        const [info] = await Promise.all([
          replication(client),
          client.mode === 'subscriber' ? 0 : client.publish(keys.pulse, ''),
        ]);
        return info;
      },
    }),
    pulse.add(rings, {
      part: 'ring',
      ask: async (client) => {
        const [info] = await Promise.all([replication(client), probeWrite(client, keys.ringPulse)]);
        return info;
      },
    }),
  ];
  const close = async () => {
    pulse.stop();
    channels.close();
    rings.disconnect();
    await Promise.all([commands.close(), bulk.close()]);
  };

  const untilMs = monotonicMs() + START_WAIT_MS;
  const late = () => proofs.map((proof) => proof.state()).find(({ isReady }) => !isReady);
  const isKnown = () => commands.serverId() !== undefined && bulk.serverId() !== undefined;
  while (!isKnown() || late()) {
    const isStopped = options.stop?.aborted === true;
    if (monotonicMs() >= untilMs || isStopped || isFinal(reason)) {
      await close();
      if (isStopped) throw new StartError('told to stop before Redis answered', exitStatus.ok);
      const said = late()?.refusedBy;
      throw startFault(address, said === undefined ? reason : new Error(said));
    }
    await sleep(10);
  }
  return {
    commands,
    bulk,
    rings,
    channels,
    pulse,
    addSpare: (client) => {
      pulse.add(client, {
        part: 'durability',
        heldMs: COPY_WAIT_MS,
        isSpare: true,
        ask: replication,
      });
    },
    onError,
    close,
  };
}

/** A reply such as "wrong password" needs no further try; loading, a busy script or too many clients may pass. */
const isFinal = (error: unknown) =>
  isReply(error) && !/^(LOADING|BUSY\b|ERR max number of clients)/.test(error.message);
