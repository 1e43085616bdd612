import { isObject } from '../client/frames.js';
import { startOneRedis } from '../redis/redis.js';
import type { TestRedis } from '../redis/test-redis.js';

let members: Promise<TestRedis[]> | undefined;

/** The masters of a quorum of three, started once for a test file. A restart empties them. */
function startQuorum(): Promise<TestRedis[]> {
  const args = ['--appendonly', 'no', '--appendfsync', 'no'];
  members ??= Promise.all([1, 2, 3].map(() => startOneRedis({ args })));
  return members;
}

type Config = Readonly<Record<string, unknown>>;

/**
 * The configuration of a gateway: with `SLUICE_TEST_TOPOLOGY=quorum` its Redlocks are at a quorum, unless it names one
 * itself.
 */
export async function withQuorum(config: Config = {}): Promise<Config> {
  const lease = isObject(config.lease) ? config.lease : {};
  if (process.env.SLUICE_TEST_TOPOLOGY !== 'quorum' || lease.quorum !== undefined) return config;
  const quorum = (await startQuorum()).map(({ url }) => url);
  return { ...config, lease: { ...lease, quorum } };
}
