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
