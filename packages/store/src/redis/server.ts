import type { Durability } from '@sluice/protocol';
import type { Logger, RedisMetrics } from '@sluice/runtime';
import type { Redis } from 'ioredis';
import type { ServerKeys } from '../keys/keys.js';
import { makeChangeLog } from '../primary/place.js';
import type { LimitArgs } from '../script/limits.js';
import type { RedisAddress } from './address.js';
import { type LinkChannels, makeChannels } from './channels.js';
import { type ConnectionPart, connectionName, openWaiting } from './clients.js';
import { type ConnectionOptions, connect, type Link } from './connect.js';
import type { Proof } from './connection-proof.js';
import { type ConnectionsWatch, probeWrite } from './connections-watch.js';
import { type DurabilityWait, LONGEST_WAIT_MS, openDurability } from './durability.js';

/** How late an answer for `bulk` may be: large replies that were asked for before come first. */
const BULK_MS = 2_000;

export type ServerOptions = {
  readonly limits: LimitArgs;
  readonly nodeId: string;
  readonly calls?: RedisMetrics | undefined;
  /** Of this server. On a cluster they change when slots move. */
  keys(): ServerKeys;
  readonly isSharded?: boolean;
  readonly pulse: ConnectionsWatch;
  /** Called with each `INFO memory`. */
  onMemory(info: string): void;
  onError(error: unknown): void;
  readonly log: Logger;
};

/** The connections of a node to one Redis server, without BullMQ's. Each has a name and is checked while it is open. */
export type Server = {
  readonly commands: Link;
  /** For large reads, which would hold up everything on the other one. */
  readonly bulk: Link;
  readonly channels: LinkChannels;
  readonly pulse: ConnectionsWatch;
  readonly proofs: readonly Proof[];
  keys(): ServerKeys;
  /** Calls would be sent now, and each connection has been accepted. */
  isReady(): boolean;
  /** `mustReach`: throws StartError when this server cannot reach the level now. `close` closes it too. */
  openDurability(level: Durability, mustReach: boolean): Promise<DurabilityWait>;
  close(): void;
};

/** `INFO replication`, for the proof of a connection. */
export const replication = (client: Redis): Promise<string> =>
  // A subscriber of the older protocol may send only PING.
  client.mode === 'subscriber' ? client.ping().then(() => '') : client.info('replication');

/** Opens all but BullMQ's connections to one server. They connect by themselves, again and again. */
export function openServer(address: RedisAddress, options: ServerOptions): Server {
  const { nodeId, keys, pulse, onError, log, isSharded = false } = options;
  const forCalls = (part: ConnectionPart, onReady: ConnectionOptions['onReady']) =>
    connect(address, {
      name: connectionName(nodeId, part),
      onError,
      onReady,
      calls: options.calls,
      limits: options.limits,
      isSharded,
    });
  const changed = makeChangeLog(log, pulse.leaveEarlier);
  const commands = forCalls('commands', (client, id) => {
    log.debug('redis connected');
    changed(client, id);
  });
  const bulk = forCalls('bulk', () => {});
  const subscriber = openWaiting(address, connectionName(nodeId, 'subscriber'));
  subscriber.on('error', onError);
  const channels = makeChannels(subscriber, { isSharded });
  const askCommands = async (client: Redis) => {
    const asked = client.info('server', 'memory', 'replication');
    asked.then(options.onMemory, () => undefined);
    asked.then(commands.learn, () => undefined);
    const [info] = await Promise.all([asked, probeWrite(client, keys().pulse)]);
    return info;
  };
  const askSubscriber = async (client: Redis) => {
    if (channels.subscribeError) throw channels.subscribeError;
    const { pulse: channel } = keys();
    // Nobody hears it: it only shows whether the user may publish.
    const publish = () => (isSharded ? client.spublish(channel, '') : client.publish(channel, ''));
    const isSubscriber = client.mode === 'subscriber';
    const [info] = await Promise.all([replication(client), isSubscriber ? 0 : publish()]);
    return info;
  };
  const proofs = [
    pulse.add(commands.client, { part: 'commands', ask: askCommands }),
    pulse.add(bulk.client, { part: 'bulk', heldMs: BULK_MS, ask: replication }),
    pulse.add(subscriber, { part: 'subscriber', ask: askSubscriber }),
  ];
  const waits: DurabilityWait[] = [];
  let isClosed = false;
  return {
    ...{ commands, bulk, channels, pulse, proofs, keys },
    isReady: () =>
      commands.isReady() && bulk.isReady() && proofs.every((proof) => proof.state().isReady),
    async openDurability(level, mustReach) {
      const wait = await openDurability(
        {
          ...{ address, level, onError },
          name: connectionName(nodeId, 'durability'),
          key: () => keys().durable,
          serverId: commands.serverId,
          // A node can do without it: it is replaced when it fails, but is never a fault.
          onOpen: (client, learn) => {
            const ask = async () => {
              const info = await client.info('server', 'replication');
              learn(info);
              return info;
            };
            pulse.add(client, { part: 'durability', heldMs: LONGEST_WAIT_MS, isSpare: true, ask });
          },
        },
        mustReach,
      );
      waits.push(wait);
      if (isClosed) wait.close();
      return wait;
    },
    close() {
      isClosed = true;
      for (const wait of waits) wait.close();
      channels.close();
      void commands.close();
      void bulk.close();
    },
  };
}
