import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { freePort } from '../base/children.js';
import type { RedisBackend } from './redis-backend.js';
import { installedServer } from './redis-engine.js';
import { startOnMachine } from './redis-machine.js';

/** Number of hash slots of every Redis Cluster. */
export const SLOTS = 16_384;

export type ClusterShape = {
  readonly masters: number;
  /** Replicas of each master. */
  readonly replicas: number;
  /** `cluster-node-timeout`: after this time without an answer a master counts as lost. */
  readonly nodeTimeoutMs: number;
  /** More arguments for every redis-server; a later one wins over ours. */
  readonly args: readonly string[];
};

/** One server of the cluster, and what it was made as. */
export type ClusterServer = RedisBackend & {
  /** Its id in the cluster. */
  readonly id: string;
  /** Index of the master that it was made a replica of; undefined: it was made a master. */
  readonly replicaOf: number | undefined;
};

type Planned = {
  readonly id: string;
  readonly port: number;
  readonly busPort: number;
  readonly replicaOf: number | undefined;
};

const range = (count: number) => Array.from({ length: count }, (_, at) => at);

/** Slots of a master, as `nodes.conf` writes them: each has an equal share, in one piece. */
function shareOf(master: number, masters: number): string {
  const first = Math.floor((master * SLOTS) / masters);
  const last = Math.floor(((master + 1) * SLOTS) / masters) - 1;
  return `${first}-${last}`;
}

/** `nodes.conf` of one server: with it the servers know one another from the start. */
function nodesConf(all: readonly Planned[], self: Planned, { masters }: ClusterShape): string {
  const lines = all.map(({ id, port, busPort, replicaOf }, at) => {
    const role = replicaOf === undefined ? 'master' : 'slave';
    const flags = id === self.id ? `myself,${role}` : role;
    const master = replicaOf === undefined ? '-' : (all[replicaOf]?.id ?? '-');
    const epoch = (replicaOf ?? at) + 1;
    const slots = replicaOf === undefined ? ` ${shareOf(at, masters)}` : '';
    return `${id} 127.0.0.1:${port}@${busPort} ${flags} ${master} 0 0 ${epoch} connected${slots}`;
  });
  return `${lines.join('\n')}\nvars currentEpoch ${masters} lastVoteEpoch 0\n`;
}

async function plan({ masters, replicas }: ClusterShape): Promise<Planned[]> {
  const planned: Planned[] = [];
  for (const at of range(masters * (1 + replicas))) {
    planned.push({
      id: randomBytes(20).toString('hex'),
      port: await freePort(),
      busPort: await freePort(),
      replicaOf: at < masters ? undefined : at % masters,
    });
  }
  return planned;
}

/** Starts the servers of a cluster, the masters first; a port that was taken meanwhile leads to another try. */
export async function startServers(shape: ClusterShape): Promise<ClusterServer[]> {
  const server = installedServer();
  // Each server syncs `nodes.conf` at each change of a slot: in memory, other tests do not hold that up.
  const parent = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  for (let attempt = 1; ; attempt += 1) {
    const planned = await plan(shape);
    const starting = planned.map(async (one) => ({
      ...one,
      ...(await startOnMachine(server, {
        port: one.port,
        parent,
        files: { 'nodes.conf': nodesConf(planned, one, shape) },
        args: [...argumentsOf(one, shape), ...shape.args],
      })),
    }));
    const started = await Promise.allSettled(starting);
    const running = started.flatMap((it) => (it.status === 'fulfilled' ? [it.value] : []));
    const failed = started.find((it) => it.status === 'rejected');
    if (!failed) return running;
    await Promise.all(running.map((one) => one.remove()));
    if (attempt === 5 || !/bind|in use/i.test(String(failed.reason))) throw failed.reason;
  }
}

const argumentsOf = ({ busPort }: Planned, { nodeTimeoutMs }: ClusterShape) => [
  ...['--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf'],
  ...['--cluster-port', String(busPort), '--cluster-node-timeout', String(nodeTimeoutMs)],
  // A lost master must not stop the others.
  ...['--cluster-require-full-coverage', 'no', '--repl-diskless-sync-delay', '0'],
];
