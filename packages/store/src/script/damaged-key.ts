import type { Redis } from 'ioredis';
import { MOVED_MARK } from '../keys/keys.js';
import type { Script } from './script.js';

/** Types of keys, by the names that scripts have for them; other keys are not checked. */
const expected = new Map<string, string>(
  Object.entries({
    ...{ state: 'hash', paused_agents: 'hash', nodes: 'hash', events: 'stream', lease: 'string' },
    ...{
      inbox: 'list',
      messages: 'list',
      ends: 'list',
      seen: 'zset',
      pending: 'zset',
      held: 'zset',
    },
    ...{ sessions: 'zset', owned: 'zset', letters: 'zset', dead: 'zset', dead_owned: 'zset' },
  }),
);

/** A key holds another type than ours. Its session, or its partition, stands still until the key is deleted. */
export class DamagedKey extends Error {
  override readonly name = 'DamagedKey';
}

/** The key was closed by a move (`sluice migrate --finish`): its data is, or soon will be, elsewhere. */
export class MovedKey extends Error {
  override readonly name = 'MovedKey';
}

/**
 * Redis only says that some key has the wrong type. Returns a DamagedKey that names it, a MovedKey when a move has
 * closed it, else `error` itself.
 */
export async function nameDamage<K extends string>(
  error: unknown,
  { keys: names }: Script<K, string, unknown>,
  { client, keys }: { client: Redis; keys: Readonly<Record<K, string>> },
): Promise<unknown> {
  if (!(error instanceof Error && error.message.includes('WRONGTYPE'))) return error;
  let isMoved = false;
  const looked = names.map(async (name) => {
    const [type, meant] = [await client.type(keys[name]), expected.get(name)];
    if (meant === undefined || type === 'none' || type === meant) return [];
    if (type === 'string' && (await client.get(keys[name])) === MOVED_MARK) isMoved = true;
    return [`${keys[name]} holds a ${type} in place of a ${meant}`];
  });
  const wrong = (await Promise.all(looked).catch(() => [])).flat();
  if (isMoved) return new MovedKey('the data was moved to another place', { cause: error });
  if (wrong.length === 0) return error;
  const text = `${wrong.join(', ')}: delete it (docs/operate/operations.md, "A session is stuck")`;
  return new DamagedKey(text, { cause: error });
}
