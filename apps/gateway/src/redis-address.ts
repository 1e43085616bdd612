import { type OnSecretFault, secretFromFile } from '@sluice/runtime';
import { addressOfSentinel, type Credentials, type RedisAddress, tlsOptions } from '@sluice/store';
import type { Config, CredentialsConfig, SentinelConfig } from './config/config-types.js';
import { isRedisUrl } from './config/redis-url.js';

/**
 * Where Redis is. What a file holds (`*_file`) is read again for each new connection. Throws StartError (78) when one
 * cannot be used.
 */
export function redisAddress(
  { url, urlFile, clusterNodes, sentinel, tls: files }: Config['redis'],
  onFault: OnSecretFault,
): RedisAddress {
  const tls = files === null ? {} : { tls: tlsOptions(files, onFault) };
  if (clusterNodes) return { url, nodes: clusterNodes, ...tls };
  if (sentinel) return { ...sentinelAddress(sentinel, onFault), ...tls };
  if (urlFile === null) return { url, ...tls };
  const urlNow = secretFromFile({
    file: urlFile,
    baseDir: '/',
    key: 'redis.url_file',
    check: (text) => (isRedisUrl(text) ? undefined : 'it is no URL that redis.url takes'),
    onFault,
  });
  return { url, urlNow, ...tls };
}

function sentinelAddress(config: SentinelConfig, onFault: OnSecretFault): RedisAddress {
  const { name, nodes, db } = config;
  const credentials = (given: CredentialsConfig, key: string): Credentials => {
    const { username, tls, password, passwordFile: file } = given;
    const now =
      file === null ? () => password : secretFromFile({ file, baseDir: '/', key, onFault });
    return { username, tls, password: now };
  };
  return addressOfSentinel({
    ...{ name, nodes, db },
    data: credentials(config.data, 'redis.sentinel.password_file'),
    sentinels: credentials(config.sentinels, 'redis.sentinel.sentinel_password_file'),
  });
}
