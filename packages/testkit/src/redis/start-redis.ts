import { type StartRedisOptions, startOneRedis, type TestRedis } from './redis.js';
import { startSentinel } from './redis-sentinel.js';

/** What a test asks of one server, and no topology has. */
const ofOneServer = /^--(replicaof|appendonly|appendfsync|maxmemory|maxclients|requirepass)$/;

/**
 * The Redis of a test file: empty, with AOF. With `SLUICE_TEST_TOPOLOGY=sentinel` it is the primary that sentinels
 * name, unless the test asks for something that belongs to one server.
 */
export async function startRedis(options: StartRedisOptions = {}): Promise<TestRedis> {
  const { args = [], server, movableClock } = options;
  const isOne = server !== undefined || movableClock || args.some((it) => ofOneServer.test(it));
  if (process.env.SLUICE_TEST_TOPOLOGY !== 'sentinel' || isOne) return startOneRedis(options);
  return startSentinel({ args });
}
