import { exitStatus, makeId, StartError } from '@sluice/runtime';
import type { Keys } from '../keys/keys.js';
import type { Connection } from '../redis/connect.js';
import { makeNodes, nodeLife } from './nodes.js';

/** Version of the Redis layout that this release writes. */
export const LAYOUT_VERSION = 2;
/** The version before, which this release reads too; nodes that write it cannot read the newer one. */
export const LAYOUT_BEFORE = 1;

/** In place of the version: the data here is being moved away, or was. No node of any release starts on it. */
export const LAYOUT_MOVED = 'moved';
/** In place of the version: a move to here is not complete. */
export const LAYOUT_INCOMING = 'incoming';
/** The move is complete, and its runs lose their right to write here; then nodes may start. */
export const LAYOUT_OPENING = 'opening';

/**
 * Writes the layout of a new data set, or raises that of the release before to this version. Throws StartError (78)
 * when this node would misread the data. Returns the id of the data set: another id later, or none, means that the
 * data was deleted under a running node.
 */
export async function checkLayout(connection: Connection, keys: Keys): Promise<string> {
  const [version, partitions, id, movedTo] = await connection.ask(keys.layout, async (client) => {
    await client.hsetnx(keys.layout, 'version', LAYOUT_VERSION);
    await client.hsetnx(keys.layout, 'partitions', keys.partitions);
    await client.hsetnx(keys.layout, 'id', makeId('data'));
    return await client.hmget(keys.layout, 'version', 'partitions', 'id', 'moved_to');
  });
  if (version === LAYOUT_MOVED) {
    throw new StartError(
      `the data in Redis under prefix "${keys.prefix}" was moved to ${movedTo}: set redis.url, redis.prefix and ` +
        'redis.partitions to that, or take the move back with sluice migrate --cancel',
      exitStatus.config,
    );
  }
  if (version === LAYOUT_INCOMING || version === LAYOUT_OPENING) {
    throw new StartError(
      `a move of data to prefix "${keys.prefix}" in Redis is not complete: complete it with ` +
        'sluice migrate --finish, then start nodes here',
      exitStatus.config,
    );
  }
  if (Number(version) !== LAYOUT_VERSION && Number(version) !== LAYOUT_BEFORE) {
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
  if (Number(version) === LAYOUT_BEFORE) await moveOn(connection, keys);
  return id ?? '';
}

/** Old data stays as it is, and is read. Nodes that cannot read what is written from now on must be gone. */
async function moveOn(connection: Connection, keys: Keys): Promise<void> {
  const beats = await makeNodes(connection, keys, '').list();
  const running = beats.filter((beat) => nodeLife(beat) !== 'silent').map(({ node }) => node);
  if (running.length > 0) {
    throw new StartError(
      `nodes of a release with layout version ${LAYOUT_BEFORE} are running (${running.join(', ')}), and could ` +
        `not read what this one writes: drain them first, then start this one`,
      exitStatus.config,
    );
  }
  await connection.ask(keys.layout, (client) =>
    client.hset(keys.layout, 'version', LAYOUT_VERSION),
  );
}
