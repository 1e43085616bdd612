import { exitStatus, monotonicMs, StartError, sleep } from '@sluice/runtime';
import { slotOf } from '../../keys/keys.js';
import {
  type Connections,
  type ConnectionsOptions,
  isFinal,
  START_WAIT_MS,
} from '../connections.js';
import { startFault } from '../start-fault.js';
import { makeClusterChannels } from './cluster-channels.js';
import { connectCluster } from './cluster-connection.js';
import { openClusterDurability } from './cluster-durability.js';
import { openMasters } from './masters.js';
import { makeTopology, openCluster } from './topology.js';

/** Opens the connections of a node to every master. Throws StartError as `openConnections` does. */
export async function openClusterConnections(options: ConnectionsOptions): Promise<Connections> {
  const { address, nodeId, keys, memory, limits, calls, log } = options;
  let reason: unknown = new Error('no answer');
  const onError = (err: unknown) => {
    reason = causeOf(err);
    log.debug({ err }, 'redis connection failed');
  };
  const rings = openCluster(address, nodeId);
  rings.on('error', onError);
  rings.on('node error', onError);
  const topology = makeTopology(rings);
  const masters = openMasters({
    ...{ address, topology, keys, memory, nodeId, limits, calls, onError, log },
  });
  const channels = makeClusterChannels({ masters, topology });
  const close = async () => {
    channels.close();
    masters.close();
    rings.disconnect();
  };

  const untilMs = monotonicMs() + START_WAIT_MS;
  const isReady = () => masters.all().length > 0 && masters.all().every((it) => it.isReady());
  while (!isReady()) {
    const isStopped = options.stop?.aborted === true;
    const isLate = monotonicMs() >= untilMs;
    // One master may be away: its sessions wait, the others are served.
    if (isLate && masters.all().some((it) => it.isReady())) break;
    if (isLate || isStopped || isFinal(reason)) {
      await close();
      if (isStopped) throw new StartError('told to stop before Redis answered', exitStatus.ok);
      throw startFault(address, reason);
    }
    await sleep(10);
  }
  const connection = (part: 'commands' | 'bulk') =>
    connectCluster({ masters, topology, calls, linkOf: (master) => master[part] });
  return {
    commands: connection('commands'),
    bulk: connection('bulk'),
    ...{ rings, channels, onError, close },
    isBeating: () => masters.all().some((it) => it.isReady() && it.pulse.isBeating()),
    servers: () =>
      masters.all().flatMap(({ name, commands, isReady: isOpen }) => {
        const isHere = (key: string) => topology.masterOf(slotOf(key)) === name;
        return isOpen() ? [{ client: commands.client, isHere }] : [];
      }),
    openDurability: (level) => openClusterDurability(level, { masters, keys, onError }),
    isReadyFor: (key) => masters.of(slotOf(key))?.isReady() ?? false,
    serverOf: (key) => masters.of(slotOf(key))?.name ?? '',
  };
}

/** ioredis says that all nodes have failed, and keeps the last reason. */
function causeOf(error: unknown): unknown {
  const { lastNodeError } = Object(error);
  return lastNodeError instanceof Error ? lastNodeError : error;
}
