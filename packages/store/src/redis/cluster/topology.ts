import { monotonicMs } from '@sluice/runtime';
import { Cluster } from 'ioredis';
import { SLOTS } from '../../keys/keys.js';
import { type RedisAddress, redisOptions } from '../address.js';
import { connectionName } from '../clients.js';

/** How often the slots are read when nothing calls for it. */
const REFRESH_MS = 2_000;
/** Shortest time between two reads that are asked for. */
const REFRESH_SOON_MS = 200;

/** `host:port`, as the cluster announces it. */
export type MasterName = string;

/** Who serves which slot, as the servers of the cluster say. */
export type Topology = {
  /** Grows with each change. */
  readonly version: number;
  /** undefined: nobody serves it, or it is not known yet. */
  masterOf(slot: number): MasterName | undefined;
  masters(): MasterName[];
  /** A server has named another master of a slot. */
  moved(slot: number, master: MasterName): void;
  /** Reads the slots anew, soon. */
  refresh(): void;
  /** `fn` is called after each change. */
  onChange(fn: () => void): void;
  /** `fn` is called after each read of the slots. */
  onRead(fn: () => void): void;
};

/** ioredis' client of the cluster: for BullMQ, and for the topology. */
export function openCluster(address: RedisAddress, nodeId: string): Cluster {
  const { host: _, port: __, db: ___, ...options } = redisOptions(address);
  const seeds = (address.nodes ?? [address.url]).map((url) => {
    const { host, port } = redisOptions({ url });
    return { host: host ?? '', port: port ?? 6379 };
  });
  const open = (part: 'ring' | 'blocking') =>
    new Cluster(seeds, {
      slotsRefreshInterval: REFRESH_MS,
      // Certificates have names: a name that the cluster announces is not resolved here.
      dnsLookup: (name, done) => done(null, name),
      redisOptions: {
        ...options,
        connectionName: connectionName(nodeId, part),
        maxRetriesPerRequest: null,
        connectTimeout: 2_000,
        disconnectTimeout: 100,
      },
    });
  const cluster = open('ring');
  cluster.duplicate = () => {
    const blocking = open('blocking');
    blocking.on('error', () => {});
    return blocking;
  };
  return cluster;
}

/** Reads the topology with ioredis' client. */
export function makeTopology(cluster: Cluster): Topology {
  const bySlot: (MasterName | undefined)[] = new Array(SLOTS);
  const changeListeners: (() => void)[] = [];
  const readListeners: (() => void)[] = [];
  let soon: NodeJS.Timeout | undefined;
  let version = 0;
  let readMs = Number.NEGATIVE_INFINITY;

  cluster.on('refresh', () => {
    readMs = monotonicMs();
    let isChanged = false;
    for (let slot = 0; slot < SLOTS; slot++) {
      const master = cluster.slots[slot]?.[0];
      if (master === bySlot[slot]) continue;
      bySlot[slot] = master;
      isChanged = true;
    }
    if (isChanged) changed();
    for (const listener of readListeners) listener();
  });

  function changed(): void {
    version += 1;
    for (const listener of changeListeners) listener();
  }

  return {
    get version() {
      return version;
    },
    masterOf: (slot) => bySlot[slot],
    masters: () => [...new Set(bySlot)].filter((it) => it !== undefined),
    moved(slot, master) {
      this.refresh();
      if (bySlot[slot] === master) return;
      bySlot[slot] = master;
      changed();
    },
    refresh() {
      if (soon) return;
      const inMs = Math.max(0, readMs + REFRESH_SOON_MS - monotonicMs());
      soon = setTimeout(() => {
        soon = undefined;
        cluster.refreshSlotsCache();
      }, inMs);
      soon.unref();
    },
    onChange: (fn) => changeListeners.push(fn),
    onRead: (fn) => readListeners.push(fn),
  };
}
