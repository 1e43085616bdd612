import { exitStatus, type Logger, StartError } from '@sluice/runtime';
import type { Redis } from 'ioredis';
import { makeNodes, nodeLife } from '../cluster/nodes.js';
import { type Keys, makeKeys } from '../keys/keys.js';
import { type RedisAddress, withoutSecrets } from '../redis/address.js';
import { openClusterConnections } from '../redis/cluster/open-cluster.js';
import type { Connection } from '../redis/connect.js';
import { openConnections } from '../redis/connections.js';
import { makeMemoryWatch } from '../redis/memory.js';
import { checkServer } from '../redis/server-check.js';
import { startFault } from '../redis/start-fault.js';
import { StoreUnavailable } from '../redis/unavailable.js';
import { checkRights } from '../rights/rights.js';
import { limitArgs } from '../script/limits.js';
import { infoField } from '../server/server-info.js';

/** One end of a move: a data set, by its Redis and prefix. */
export type Place = {
  /** For people: the URL without secrets, the prefix and the number of partitions. */
  readonly name: string;
  readonly keys: Keys;
  /** Fields of the layout; empty: nobody has used this prefix yet. */
  readonly layout: Readonly<Record<string, string>>;
  readonly run: Connection['run'];
  /** Commands about keys of one slot, `key` among them. Throws StartError when Redis is away or refuses. */
  ask<T>(key: string, command: (client: Redis) => Promise<T>): Promise<T>;
  /** `run_id` of each server. */
  servers(): Promise<string[]>;
  /** Ids of nodes that beat here. */
  nodes(): Promise<string[]>;
  close(): Promise<void>;
};

/** Names the connections of a move in `CLIENT LIST`. */
const NODE_ID = 'migrate';

/** No script of a move asks for a limit of the configuration. */
const noLimits = limitArgs({
  ...{ ttlMs: 0, maxAttempts: 0, maxHandOvers: 0, maxInbox: 0, maxInboxBytes: 0, maxEvents: 0 },
  ...{ maxLogBytes: 0, maxMessages: 0, maxSeen: 0, maxDead: 0, resumeWindowMs: 0 },
});

export type PlaceOptions = {
  readonly address: RedisAddress;
  readonly prefix: string;
  /** Default: as many as the data there has. */
  readonly partitions?: number | undefined;
  onNotice(text: string): void;
};

/** Connects to one end. Throws StartError: 75 when it cannot be reached, 78 when it cannot be used. */
export async function openPlace(options: PlaceOptions): Promise<Place> {
  const { address, prefix } = options;
  const open = address.nodes ? openClusterConnections : openConnections;
  const log = noticesOnly(options.onNotice);
  const connections = await open({
    ...{ address, nodeId: NODE_ID, keys: makeKeys(prefix, 1), limits: noLimits, log },
    memory: makeMemoryWatch(() => {}),
  });
  const { commands } = connections;
  const named = (error: unknown) =>
    error instanceof StoreUnavailable ? startFault(address, error) : error;
  const ask: Place['ask'] = (key, command) =>
    commands.ask(key, command).catch((error) => {
      throw named(error);
    });
  try {
    await checkServer(commands, log);
    const { layout: layoutKey } = makeKeys(prefix, 1);
    const layout = await ask(layoutKey, (client) => client.hgetall(layoutKey));
    const partitions = options.partitions ?? Number(layout.partitions ?? 0);
    const keys = makeKeys(prefix, Math.max(1, partitions));
    await checkRights(connections, keys);
    const beats = makeNodes(commands, keys, '');
    return {
      name: `${withoutSecrets(address.url)}, prefix ${prefix}, ${partitions} partitions`,
      keys,
      layout,
      run: (script, scriptKeys, args) =>
        commands.run(script, scriptKeys, args).catch((error) => {
          throw named(error);
        }),
      ask,
      servers: async () => {
        const infos = await commands.askEach((client) => client.info('server'));
        return infos.map((info) => infoField(info, 'run_id'));
      },
      nodes: async () =>
        (await beats.list()).filter((beat) => nodeLife(beat) !== 'silent').map(({ node }) => node),
      close: () => connections.close(),
    };
  } catch (error) {
    await connections.close();
    throw startFault(address, error);
  }
}

/** Warnings go to the person who moves data; there is no log. */
function noticesOnly(onNotice: (text: string) => void): Logger {
  const nothing = () => {};
  const warn = (_about: object | string, text?: string) => onNotice(text ?? '');
  return { debug: nothing, info: nothing, warn, error: nothing, fatal: nothing };
}

export const refusal = (text: string) => new StartError(text, exitStatus.config);
export const laterFault = (text: string) => new StartError(text, exitStatus.tempFail);

/** What a script of a move answers when another run has begun since. */
export function notSuperseded<T extends string>(word: T): T {
  if (word !== 'superseded') return word;
  throw laterFault('another sluice migrate has taken this move over: let only one of them run');
}
