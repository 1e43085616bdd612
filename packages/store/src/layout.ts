import { exitStatus, makeId, StartError } from '@sluice/runtime';
import type { Connection } from './connect.js';
import type { Keys } from './keys.js';

/** Version of the Redis layout that this release reads and writes. */
export const LAYOUT_VERSION = 1;

/**
 * Writes the layout of a new data set, or refuses one that this node would misread. Answers the name of the
 * data set: another one later, or none, says that the data was deleted under a running node.
 */
export async function checkLayout(connection: Connection, keys: Keys): Promise<string> {
  const [version, partitions, id] = await connection.ask(async (client) => {
    await client.hsetnx(keys.layout, 'version', LAYOUT_VERSION);
    await client.hsetnx(keys.layout, 'partitions', keys.partitions);
    await client.hsetnx(keys.layout, 'id', makeId('data'));
    return await client.hmget(keys.layout, 'version', 'partitions', 'id');
  });
  if (Number(version) !== LAYOUT_VERSION) {
    throw new StartError(
      `the data in Redis under prefix "${keys.prefix}" has layout version ${version}, this release ` +
        `needs ${LAYOUT_VERSION}: use the release that wrote it, or another redis.prefix`,
      exitStatus.config,
    );
  }
  if (Number(partitions) !== keys.partitions) {
    throw new StartError(
      `redis.partitions is ${keys.partitions}, but the data in Redis under prefix "${keys.prefix}" ` +
        `was made with ${partitions}: set redis.partitions to ${partitions}, or use another redis.prefix`,
      exitStatus.config,
    );
  }
  return id ?? '';
}
