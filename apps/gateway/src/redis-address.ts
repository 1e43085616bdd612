import { type OnSecretFault, secretFromFile } from '@sluice/runtime';
import type { RedisAddress } from '@sluice/store';
import type { Config } from './config/config-types.js';
import { isRedisUrl } from './config/redis-url.js';

/** Where Redis is. With `redis.url_file` each new connection reads the user and password again. */
export function redisAddress(
  { url, urlFile, clusterNodes }: Config['redis'],
  onFault: OnSecretFault,
): RedisAddress {
  if (clusterNodes) return { url, nodes: clusterNodes };
  if (urlFile === null) return { url };
  const urlNow = secretFromFile({
    file: urlFile,
    baseDir: '/',
    key: 'redis.url_file',
    check: (text) => (isRedisUrl(text) ? undefined : 'it is no URL that redis.url takes'),
    onFault,
  });
  return { url, urlNow };
}
