import { startOneRedis } from './redis.js';
import { startSentinel } from './redis-sentinel.js';
import type { StartRedisOptions, TestRedis } from './test-redis.js';
import { isOnCluster, startClusterAsRedis } from './topology.js';

/** What a test asks of one server, and no topology has. */
const ofOneServer = /^--(replicaof|appendonly|appendfsync|maxmemory|maxclients|requirepass)$/;

/**
 * The Redis of a test file: empty, with AOF. With `SLUICE_TEST_TOPOLOGY` it is the primary that sentinels name, or a
 * cluster, unless the test asks for something that belongs to one server.
 */
export async function startRedis(options: StartRedisOptions = {}): Promise<TestRedis> {
  const { args = [], server, movableClock } = options;
  const isOne = server !== undefined || movableClock || args.some((it) => ofOneServer.test(it));
  if (isOne) return startOneRedis(options);
  if (isOnCluster()) return startClusterAsRedis(options);
  return process.env.SLUICE_TEST_TOPOLOGY === 'sentinel'
    ? startSentinel({ args })
    : startOneRedis(options);
}
