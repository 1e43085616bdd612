import { Cluster, Redis } from 'ioredis';
import { stopLater } from '../base/cleanup.js';
import { eventually } from '../base/eventually.js';
import { type ClusterServer, type ClusterShape, startServers } from './cluster-nodes.js';
import { moveSlot, slotOf } from './cluster-slots.js';

export type StartClusterOptions = Partial<ClusterShape>;

/** One server of a Redis Cluster. */
export type ClusterNode = ClusterServer & {
  readonly url: string;
  /** A connection to this server alone; `stop` of the cluster closes it. */
  readonly direct: Redis;
};

/** A real Redis Cluster, of processes on this machine. */
export type TestCluster = {
  /** The masters first, as it was started. */
  readonly nodes: readonly ClusterNode[];
  readonly urls: readonly string[];
  /** A new client of the whole cluster; `stop` closes it. */
  client(): Cluster;
  /** The master that serves a key now. */
  masterOf(key: string): Promise<ClusterNode>;
  /** Moves slots to another master, one after the other, while clients use them. */
  moveSlots(slots: readonly number[], to: ClusterNode): Promise<void>;
  /** A replica takes over from its master, which goes on as a replica of it. */
  failover(replica: ClusterNode): Promise<void>;
  /** Resolves when every server that runs sees the cluster as it is, with each slot served by a live master. */
  settled(ms?: number): Promise<void>;
  stop(): Promise<void>;
};

const NODE_TIMEOUT_MS = 1_500;
const SETTLED_MS = 20_000;
const COMMAND_MS = 2_000;

/** Starts a Redis Cluster; it takes about 3 s, since a new master refuses writes for 2 s. */
export async function startRedisCluster(options: StartClusterOptions = {}): Promise<TestCluster> {
  const shape = { masters: 3, replicas: 0, nodeTimeoutMs: NODE_TIMEOUT_MS, args: [], ...options };
  const servers = await startServers(shape);
  const nodes = servers.map((server) => {
    const direct = new Redis({
      port: server.port,
      maxRetriesPerRequest: null,
      commandTimeout: COMMAND_MS, // a server that was just killed, or is stopped, answers nothing
      disconnectTimeout: 100,
    });
    direct.on('error', () => undefined);
    return { ...server, url: `redis://127.0.0.1:${server.port}`, direct };
  });
  const clients: Cluster[] = [];
  const stop = async () => {
    forget();
    for (const client of clients.splice(0)) client.disconnect();
    for (const { direct } of nodes) direct.disconnect();
    await Promise.all(nodes.map((node) => node.remove()));
  };
  const forget = stopLater(stop);

  /** The one server that says that it serves the slot itself: others may not have heard of a move yet. */
  const masterOfSlot = (slot: number): Promise<ClusterNode> =>
    eventually(async () => {
      const claims = await Promise.all(
        nodes.map(async (node) => {
          if (node.direct.status !== 'ready') return [];
          const found = (await node.direct.cluster('SLOTS')).find(
            ([first, last]) => first <= slot && slot <= last,
          );
          return found?.[2]?.[1] === node.port ? [node] : [];
        }),
      );
      const [master, ...others] = claims.flat();
      if (master === undefined || others.length > 0)
        throw new Error(`slot ${slot} has no one master`);
      return master;
    }, SETTLED_MS);

  /** Every server that answers knows a live master for each slot, and its replicas follow theirs. */
  async function isSettled(): Promise<boolean> {
    const running = nodes.filter(({ direct }) => direct.status === 'ready');
    const views = await Promise.all(running.map((node) => viewOf(node)));
    const isAlike = new Set(views.map(({ slots }) => slots)).size === 1;
    return isAlike && views.every(({ isOk }) => isOk);
  }

  const settled = (ms = SETTLED_MS) => eventually(isSettled, ms);
  await settled();
  return {
    nodes,
    urls: nodes.map(({ url }) => url),
    client() {
      const client = new Cluster(nodes.map(({ port }) => ({ host: '127.0.0.1', port })));
      client.on('error', () => undefined);
      clients.push(client);
      return client;
    },
    masterOf: (key) => masterOfSlot(slotOf(key)),
    async moveSlots(slots, to) {
      // As redis-cli does: who moves a slot that not all agree about may leave it with two owners.
      await settled();
      for (const slot of slots) {
        const others = nodes.filter(({ direct }) => direct.status === 'ready');
        await moveSlot(slot, { from: await masterOfSlot(slot), to, others });
      }
    },
    async failover(replica) {
      await replica.direct.cluster('FAILOVER');
      await eventually(
        async () => /^role:master/m.test(await replica.direct.info('replication')),
        SETTLED_MS,
      );
    },
    settled: async (ms) => void (await settled(ms)),
    stop,
  };
}

/** How one server sees the cluster: whether all is well with it, and who serves which slots. */
async function viewOf({ direct }: ClusterNode): Promise<{ isOk: boolean; slots: string }> {
  const [state, replication, table] = await Promise.all([
    direct.cluster('INFO'),
    direct.info('replication'),
    direct.cluster('SLOTS'),
  ]);
  const text = String(state);
  const isWhole = /cluster_state:ok/.test(text) && /cluster_slots_ok:16384/.test(text);
  const isLinked = !/^role:slave/m.test(replication) || /^master_link_status:up/m.test(replication);
  const rows = table.map(([first, last, master]) => `${first}-${last} ${master?.[1]}`);
  return { isOk: isWhole && isLinked, slots: rows.sort().join() };
}
