import { type Logger, monotonicMs } from '@sluice/runtime';
import { type Keys, type ServerKeys, slotOf } from '../../keys/keys.js';
import type { RedisAddress } from '../address.js';
import { watchConnections } from '../connections-watch.js';
import type { MemoryWatch } from '../memory.js';
import { openServer, type Server, type ServerOptions } from '../server.js';
import type { MasterName, Topology } from './topology.js';

/** Connections to a master that serves no slot any more are closed after this time, when their calls are answered. */
const GONE_MS = 5_000;
/** A master that is just being connected is waited for: longer than a connection takes as a rule. */
export const NEW_MS = 400;
/** While a master does not do its work, the slots are read this often: they may have a new master. */
const LOST_LOOK_MS = 500;

export type Master = Server & {
  readonly name: MasterName;
  /** Whether its connections were opened a moment ago, and may be about to be ready. */
  isNew(): boolean;
};

export type Masters = {
  /** undefined: no master of this slot is known. */
  of(slot: number): Master | undefined;
  all(): Master[];
  /** `fn` is called with each master whose connections are opened, those that are open already included. */
  onOpen(fn: (master: Master) => void): void;
  close(): void;
};

export type MastersOptions = Omit<ServerOptions, 'keys' | 'pulse' | 'onMemory' | 'isSharded'> & {
  readonly address: RedisAddress;
  readonly topology: Topology;
  readonly keys: Keys;
  readonly memory: MemoryWatch;
  readonly log: Logger;
};

/** Keeps connections to each master of the cluster, and to no other server. */
export function openMasters(options: MastersOptions): Masters {
  const { topology, memory, log } = options;
  const open = new Map<MasterName, Master>();
  const openListeners: ((master: Master) => void)[] = [];
  const going = new Set<NodeJS.Timeout>();

  function follow(): void {
    const names = new Set(topology.masters());
    for (const name of names) {
      if (open.has(name)) continue;
      const master = openMaster(options, name);
      open.set(name, master);
      for (const listener of openListeners) listener(master);
    }
    for (const [name, master] of open) {
      if (names.has(name)) continue;
      open.delete(name);
      master.pulse.stop();
      memory.forget(name);
      log.info({ master: name }, 'a server of the redis cluster serves no slot any more');
      const timer = setTimeout(() => {
        going.delete(timer);
        master.close();
      }, GONE_MS);
      timer.unref();
      going.add(timer);
    }
  }

  topology.onChange(follow);
  const looking = setInterval(() => {
    if ([...open.values()].some((it) => !it.isReady() || !it.pulse.isBeating())) topology.refresh();
  }, LOST_LOOK_MS);
  looking.unref();
  return {
    of: (slot) => open.get(topology.masterOf(slot) ?? ''),
    all: () => [...open.values()],
    onOpen(fn) {
      openListeners.push(fn);
      for (const master of open.values()) fn(master);
    },
    close() {
      clearInterval(looking);
      for (const timer of going) clearTimeout(timer);
      for (const master of open.values()) {
        master.pulse.stop();
        master.close();
      }
      open.clear();
    },
  };
}

function openMaster(options: MastersOptions, name: MasterName): Master {
  const { address, topology, memory, keys, log } = options;
  const openedMs = monotonicMs();
  let known: { readonly version: number; readonly keys: ServerKeys } | undefined;
  const isHere = (key: string) => topology.masterOf(slotOf(key)) === name;
  const pulse = watchConnections(log, {
    refuses: 'a master of the redis cluster refuses to serve: its sessions wait until it does',
    isSilent: 'a master of the redis cluster does not answer: its sessions wait until it does',
    serves: 'a master of the redis cluster serves again',
    answers: 'a master of the redis cluster answers again',
    fields: { master: name },
  });
  const server = openServer(
    { ...address, master: name },
    {
      ...options,
      pulse,
      isSharded: true,
      // While it has no slot any more its connections are about to be closed.
      keys: () => {
        const { version } = topology;
        if (known?.version !== version) {
          const isMaster = topology.masters().includes(name);
          known = { version, keys: isMaster ? keys.server(isHere) : keys.server() };
        }
        return known.keys;
      },
      onMemory: (info) => memory.look(info, name),
    },
  );
  return { ...server, name, isNew: () => monotonicMs() - openedMs < NEW_MS };
}
