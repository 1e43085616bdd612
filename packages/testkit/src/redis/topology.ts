import type { Redis } from 'ioredis';
import { eventually } from '../base/eventually.js';
import { type ClusterNode, startRedisCluster, type TestCluster } from './redis-cluster.js';
import type { StartRedisOptions, TestRedis } from './test-redis.js';

const MASTERS = 3;
const BACK_MS = 20_000;

/** The nodes of each cluster that stands in for one Redis, by the URL that the tests use. */
const nodesByUrl = new Map<string, readonly string[]>();

/** Whether `npm run test:cluster` runs the tests: then `startRedis` gives a cluster. */
export const isOnCluster = (): boolean => process.env.SLUICE_TEST_TOPOLOGY === 'cluster';

/** Where a store finds what `startRedis` has started: one Redis, or a cluster. */
export function addressOf(url: string): { url: string; nodes?: readonly string[] } {
  const nodes = nodesByUrl.get(url);
  return nodes ? { url, nodes } : { url };
}

/** Section `redis` of a configuration, for a cluster where its URL is that of one. */
export function redisSection(
  section: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const { url, ...others } = section;
  const nodes = nodesByUrl.get(String(url));
  return nodes ? { ...others, cluster: { nodes } } : section;
}

/** A cluster of three masters, with what a test expects of one Redis. */
export async function startClusterAsRedis({ args = [] }: StartRedisOptions): Promise<TestRedis> {
  const cluster = await startRedisCluster({ masters: MASTERS, args });
  const [first] = cluster.nodes;
  if (!first) throw new Error('a cluster without nodes');
  const { url, port } = first;
  nodesByUrl.set(url, cluster.urls);
  const each = async (act: (node: ClusterNode) => Promise<void>) => {
    await Promise.all(cluster.nodes.map(act));
  };
  const start = async () => {
    await each((node) => node.start());
    // A master that was stopped refuses writes for 2 s.
    await eventually(async () => (await writable(cluster)) === MASTERS, BACK_MS);
  };
  const end = (signal: 'SIGTERM' | 'SIGKILL') => each((node) => node.stop(signal));
  return {
    url,
    port,
    client: () => clientOf(cluster),
    restart: async () => {
      await end('SIGTERM');
      await start();
    },
    shutdown: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    start,
    pause: () => each((node) => node.pause()),
    resume: () => each((node) => node.resume()),
    moveClock: () => {
      throw new Error('start this Redis with movableClock: true');
    },
    stop: () => cluster.stop(),
  };
}

async function writable({ nodes }: TestCluster): Promise<number> {
  const states = await Promise.all(
    nodes.map(({ direct }) => (direct.status === 'ready' ? direct.cluster('INFO') : '')),
  );
  return states.filter((state) => /cluster_state:ok/.test(String(state))).length;
}

/** A client whose commands without a key are about every master. */
function clientOf(cluster: TestCluster): Redis {
  const client = cluster.client();
  const masters = () => cluster.nodes.map(({ direct }) => direct);
  const everywhere = {
    flushall: async () => {
      await Promise.all(masters().map((it) => it.flushall()));
      return 'OK';
    },
    save: async () => {
      await Promise.all(masters().map((it) => it.save()));
      return 'OK';
    },
    keys: async (pattern: string) =>
      (await Promise.all(masters().map((it) => it.keys(pattern)))).flat(),
    dbsize: async () =>
      (await Promise.all(masters().map((it) => it.dbsize()))).reduce((sum, it) => sum + it, 0),
    config: async (...args: [never, never]) =>
      (await Promise.all(masters().map((it) => it.config(...args))))[0],
    script: async (...args: [never]) =>
      (await Promise.all(masters().map((it) => it.script(...args))))[0],
  };
  return Object.assign(client, everywhere) as unknown as Redis;
}
