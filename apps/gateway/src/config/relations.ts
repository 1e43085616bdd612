import { PORT } from './defaults.js';
import { clusterFaults } from './redis-url.js';
import type { Given } from './schema.js';

/** Checks relations between given values; defaults adapt to given values instead (defaults.ts). */
export function relationFaults({ gateway = {}, redis = {}, lease = {} }: Given): string[] {
  const faults = redis.cluster ? clusterFaults(redis.cluster.nodes, redis.url) : [];
  if (redis.cluster && redis.sentinel) {
    faults.push('redis.sentinel: leave it out beside redis.cluster.nodes; a cluster needs none');
  }
  faults.push(...quorumFaults(lease.quorum ?? []));
  const { close_spread, drain_timeout, max_buffered_bytes, max_payload, max_reply } = gateway;
  if (close_spread !== undefined && drain_timeout !== undefined && close_spread > drain_timeout) {
    faults.push(
      `gateway.close_spread: ${close_spread} ms is longer than gateway.drain_timeout ` +
        `(${drain_timeout} ms); give at most that`,
    );
  }
  if (gateway.admin_port && gateway.admin_port === (gateway.port ?? PORT)) {
    faults.push(
      `gateway.admin_port: ${gateway.admin_port} is gateway.port; give another one, or leave it out`,
    );
  }
  const largest = Math.max(max_payload ?? 0, max_reply ?? 0);
  if (max_buffered_bytes !== undefined && max_buffered_bytes < 2 * largest) {
    const other = largest === max_payload ? 'gateway.max_payload' : 'gateway.max_reply';
    faults.push(
      `gateway.max_buffered_bytes: ${max_buffered_bytes} bytes are less than 2 x ${other} ` +
        `(${largest} bytes); give at least ${2 * largest}`,
    );
  }
  return faults;
}

/** Each member once, an odd number of them, and the same database at all: redlock selects one. Shows no password. */
function quorumFaults(urls: readonly string[]): string[] {
  const faults: string[] = [];
  if (urls.length === 0) return faults;
  if (urls.length < 3 || urls.length % 2 === 0) {
    faults.push(
      `lease.quorum: ${urls.length} members; name three or five independent masters (an odd number, since a majority ` +
        'decides), or leave it out: then the Redis of redis.url has the Redlocks',
    );
  }
  const places = urls.map(placeOf);
  for (const [at, place] of places.entries()) {
    const first = places.indexOf(place);
    if (first < at) {
      faults.push(
        `lease.quorum[${at}]: ${place} is lease.quorum[${first}] too; name each master once, since each has one vote`,
      );
    }
  }
  const databases = new Set(urls.map(databaseOf));
  if (databases.size > 1) {
    faults.push(
      `lease.quorum: the members name databases ${[...databases].join(' and ')}; name the same one at each`,
    );
  }
  return faults;
}

function placeOf(url: string): string {
  if (url.startsWith('unix://')) return url.split('?')[0] ?? url;
  const { hostname, port } = new URL(url);
  return `${hostname}:${port || 6379}`;
}

function databaseOf(url: string): string {
  const { pathname, searchParams } = new URL(url);
  if (url.startsWith('unix://')) return searchParams.get('db') ?? '0';
  return pathname.slice(1) || '0';
}
