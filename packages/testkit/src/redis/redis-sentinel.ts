import { Redis, type RedisOptions } from 'ioredis';
import { stopLater } from '../base/cleanup.js';
import { eventually } from '../base/eventually.js';
import type { RedisBackend } from './redis-backend.js';
import { installedServer } from './redis-engine.js';
import { startOnMachine } from './redis-machine.js';
import { type SentinelProcess, type SentinelShape, startSentinels } from './sentinel-process.js';
import type { TestRedis } from './test-redis.js';

export type StartSentinelOptions = Partial<SentinelShape> & {
  readonly replicas?: number;
  /** More arguments for every redis-server; a later one wins over ours. */
  readonly args?: readonly string[];
};

/** One data server: the primary or a replica. */
export type SentinelServer = RedisBackend & WithDirect;

type WithDirect = {
  /** A connection to this server alone. */
  readonly direct: Redis;
};

/**
 * A primary with replicas, watched by sentinels: processes of this machine. As a TestRedis, `kill`, `pause` and the
 * like are about all data servers, and `port` is that of the primary at the moment.
 */
export type TestSentinel = TestRedis & {
  readonly name: string;
  readonly servers: readonly SentinelServer[];
  readonly sentinels: readonly (SentinelProcess & WithDirect)[];
  /** The server that a majority of the sentinels names. */
  primary(): Promise<SentinelServer>;
  /** SIGKILL; resolves with the server that was killed. */
  killPrimary(): Promise<SentinelServer>;
  /** SIGSTOP, until `resume` of the server that it resolves with. */
  pausePrimary(): Promise<SentinelServer>;
  /** The replicas have what was written before, and get nothing that is written from now on, until a failover. */
  cutReplicas(): Promise<void>;
  /** Orders a failover of a primary that lives; resolves when another one is writable. */
  failover(): Promise<void>;
  /** Resolves when another server than this one is the primary and takes writes. */
  promoted(before: SentinelServer, ms?: number): Promise<SentinelServer>;
  /** Resolves when every server runs, and all replicas follow the primary. */
  settled(ms?: number): Promise<void>;
};

const NAME = 'mymaster';
const SETTLED_MS = 30_000;
const PROMOTED_MS = 20_000;

const quiet = (options: RedisOptions) => {
  const client = new Redis({ maxRetriesPerRequest: null, disconnectTimeout: 100, ...options });
  client.on('error', () => undefined);
  return client;
};

/** Starts a primary, its replicas and their sentinels. */
export async function startSentinel(options: StartSentinelOptions = {}): Promise<TestSentinel> {
  const { replicas = 2, args = [] } = options;
  const shape = {
    ...{ sentinels: 3, quorum: 2, downAfterMs: 1_000, failoverTimeoutMs: 5_000 },
    ...options,
  };
  const program = installedServer();
  const common = ['--appendfsync', 'everysec', '--repl-diskless-sync-delay', '0', ...args];
  const first = await startOnMachine(program, { args: common });
  const of = ['--replicaof', '127.0.0.1', String(first.port)];
  const others = await Promise.all(
    Array.from({ length: replicas }, () => startOnMachine(program, { args: [...common, ...of] })),
  );
  const servers = [first, ...others].map((backend) => ({
    ...backend,
    direct: quiet({ host: '127.0.0.1', port: backend.port }),
  }));
  const watched = {
    ...{ name: NAME, primary: first.port },
    replicas: others.map(({ port }) => port),
  };
  const processes = await startSentinels(program, watched, shape);
  const sentinels = processes.map((one) => ({
    ...one,
    direct: quiet({ host: '127.0.0.1', port: one.port, enableReadyCheck: false }),
  }));
  const clients: Redis[] = [];
  let port = first.port;

  async function primary(): Promise<SentinelServer> {
    const votes = new Map<number, number>();
    for (const { direct: client } of sentinels) {
      if (client.status !== 'ready') continue;
      const found: unknown = await client.call('SENTINEL', 'get-master-addr-by-name', NAME);
      if (Array.isArray(found)) votes.set(+found[1], (votes.get(+found[1]) ?? 0) + 1);
    }
    const most = [...votes].sort(([, a], [, b]) => b - a)[0];
    const server = servers.find((one) => one.port === most?.[0]);
    if (!server || !most || 2 * most[1] <= sentinels.length) throw new Error('no primary is named');
    port = server.port;
    return server;
  }
  const promoted = (before: SentinelServer, ms = PROMOTED_MS) =>
    eventually(async () => {
      const now = await primary();
      if (now.port === before.port) return false;
      const info = now.direct.status === 'ready' ? await now.direct.info('replication') : '';
      return /^role:master/m.test(info) && now;
    }, ms).then((now) => now || before);
  const settled = async (ms = SETTLED_MS) => {
    await eventually(async () => {
      const now = await primary();
      const info = now.direct.status === 'ready' ? await now.direct.info('replication') : '';
      const online = info.match(/^slave\d+:.*state=online/gm)?.length ?? 0;
      return /^role:master/m.test(info) && online === servers.length - 1;
    }, ms);
  };
  const stop = async () => {
    forget();
    for (const client of clients.splice(0)) client.disconnect();
    for (const { direct } of [...servers, ...sentinels]) direct.disconnect();
    await Promise.all([...sentinels, ...servers].map((one) => one.remove()));
  };
  const forget = stopLater(stop);
  await settled();
  const nodes = sentinels.map((one) => ({ host: '127.0.0.1', port: one.port }));
  const all = (act: (server: SentinelServer) => Promise<void>) => async () =>
    void (await Promise.all(servers.map(act)));
  const start = async () => {
    await all((server) => server.start())();
    await settled();
  };

  return {
    ...{ name: NAME, servers, sentinels, primary, promoted, settled, stop, start },
    url: `sentinel://${nodes.map((node) => `${node.host}:${node.port}`).join(',')}/${NAME}`,
    get port() {
      return port;
    },
    client(clientOptions = {}) {
      const client = quiet({ sentinels: nodes, name: NAME, ...clientOptions });
      clients.push(client);
      return client;
    },
    async killPrimary() {
      const server = await primary();
      await server.stop('SIGKILL');
      return server;
    },
    async pausePrimary() {
      const server = await primary();
      await server.pause();
      return server;
    },
    async cutReplicas() {
      const { port: at, direct: writer } = await primary();
      await writer.set('testkit:written', 1);
      await writer.wait(servers.length - 1, PROMOTED_MS); // they have all that was written before
      for (const { direct } of servers.filter((one) => one.port !== at)) {
        await direct.call('REPLICAOF', '127.0.0.1', 1); // nobody listens there
      }
    },
    async failover() {
      const before = await primary();
      // Refused while the one before still goes on, and given up when the replica is promoted too slowly.
      await eventually(
        async () => {
          await sentinels[0]?.direct.call('SENTINEL', 'FAILOVER', NAME);
          await promoted(before, 2 * shape.failoverTimeoutMs);
        },
        SETTLED_MS,
        200,
      );
    },
    async restart() {
      const server = await primary();
      await server.stop('SIGTERM');
      await start();
    },
    shutdown: all((server) => server.stop('SIGTERM')),
    kill: all((server) => server.stop('SIGKILL')),
    pause: all((server) => server.pause()),
    resume: all((server) => server.resume()),
    moveClock() {
      throw new Error('a Redis behind sentinels has no movable clock');
    },
  };
}
