import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';

/** Runs a script at one member, with any number of keys; sends its text when that server does not know it yet. */
export function memberScript(source: string) {
  const sha = createHash('sha1').update(source).digest('hex');
  return async (
    client: Redis,
    keys: readonly string[],
    args: readonly string[],
  ): Promise<unknown> => {
    try {
      return await client.evalsha(sha, keys.length, ...keys, ...args);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return await client.eval(source, keys.length, ...keys, ...args);
    }
  };
}
