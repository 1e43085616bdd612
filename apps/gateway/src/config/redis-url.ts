import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { leaf } from './values.js';

const allowed =
  'redis://[user:password@]host[:port][/0-15], rediss://..., or unix:///path/of/the.sock';

/** Databases above 15 are refused: redlock selects 0 to 15 only. */
export const redisUrl = leaf(
  allowed,
  (value) => (typeof value === 'string' && isRedisUrl(value) ? value : undefined),
  true,
);

/** Whether `redis.url` takes this text. */
export function isRedisUrl(value: string): boolean {
  if (/^unix:\/\/\/[^\s]+/.test(value)) return true;
  if (!/^rediss?:\/\//.test(value) || !URL.canParse(value)) return false;
  const { hostname, pathname } = new URL(value);
  return hostname !== '' && /^\/?$|^\/([0-9]|1[0-5])$/.test(pathname);
}

const allowedNode = 'redis://[user:password@]host[:port] or rediss://..., without a database';

/** A node of a Redis Cluster, which has one database. */
export const clusterNodeUrl = leaf(
  allowedNode,
  (value) =>
    typeof value === 'string' && isRedisUrl(value) && /^rediss?:\/\/[^/]+\/?0?$/.test(value)
      ? value
      : undefined,
  true,
);

/** Faults of `redis.cluster.nodes` beside `redis.url`. */
export function clusterFaults(nodes: readonly string[] | undefined, url: unknown): string[] {
  const faults: string[] = [];
  if (nodes === undefined || nodes.length === 0) {
    faults.push('redis.cluster.nodes: is empty; give the URL of at least one node');
  }
  if (url !== undefined) {
    faults.push('redis.url: leave it out beside redis.cluster.nodes; a node uses one or the other');
  }
  const whoOf = (node: string) => {
    const { protocol, username, password } = new URL(node);
    return `${protocol} ${username} ${password}`;
  };
  if (new Set((nodes ?? []).map(whoOf)).size > 1) {
    faults.push(
      'redis.cluster.nodes: the URLs differ in user, password or TLS; give the same for all nodes',
    );
  }
  return faults;
}

/** `host`, `host:port` or `[address]:port`; the port of sentinels is 26379 unless it is given. */
export const sentinelNode = leaf(
  'host[:port] of a sentinel, without a scheme; its user, password and TLS are keys of redis.sentinel',
  (value) => {
    if (typeof value !== 'string' || !/^[A-Za-z0-9._:[\]-]+$/.test(value)) return undefined;
    if (!URL.canParse(`redis://${value}`)) return undefined;
    const { hostname, port } = new URL(`redis://${value}`);
    const host = hostname.replace(/^\[|\]$/g, '');
    return host === '' ? undefined : { host, port: Number(port || 26_379) };
  },
  true, // what is no node may hold a password
);

export type FoundRedis = { readonly url: string } | { readonly fault: string };

/** For a configuration without `redis.url`: REDIS_URL, else the private Redis that runs in the working directory. */
export function findRedis(env: NodeJS.ProcessEnv, cwd: string): FoundRedis {
  const fromEnv = env.REDIS_URL;
  if (fromEnv) {
    if (isRedisUrl(fromEnv)) return { url: fromEnv };
    return { fault: `redis.url: this value is not allowed; give ${allowed} (from REDIS_URL)` };
  }
  const socket = join(cwd, '.sluice', 'redis.sock');
  if (existsSync(socket) && isLiving(join(cwd, '.sluice', 'redis.pid'))) {
    // In a deep directory the socket is a link, because the path of a socket has at most 107 bytes.
    return { url: `unix://${realpathSync(socket)}` };
  }
  return {
    fault:
      'redis.url: no Redis to use; set redis.url or REDIS_URL (redis://127.0.0.1:6379), ' +
      'or run `npm start`, which starts a private one in .sluice/ of the working directory',
  };
}

function isLiving(pidFile: string): boolean {
  try {
    const pid = Number(readFileSync(pidFile, 'utf8').trim());
    if (!Number.isSafeInteger(pid) || pid <= 0) return false;
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: the process lives, under another user.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
