import type { Given } from '../schema.js';

/**
 * What is wrong with `redis.tls` by itself; its files are read when the first connection is made. `url`: the one that
 * counts, of `redis.url` or the environment; '' when there is none.
 */
export function tlsFaults({ redis = {} }: Given, url: string): string[] {
  const { tls } = redis;
  if (!tls) return [];
  const faults: string[] = [];
  if (tls.cert_file !== undefined && tls.key_file === undefined) {
    faults.push('redis.tls.cert_file: its key is missing; set redis.tls.key_file');
  }
  if (tls.key_file !== undefined && tls.cert_file === undefined) {
    faults.push('redis.tls.key_file: its certificate is missing; set redis.tls.cert_file');
  }
  if (redis.sentinel && !redis.sentinel.tls && !redis.sentinel.sentinel_tls) {
    faults.push(
      'redis.tls: redis.sentinel does not ask for TLS; set redis.sentinel.tls or redis.sentinel.sentinel_tls',
    );
  }
  const places = [url, ...(redis.cluster?.nodes ?? [])].filter((place) => place !== '');
  if (places.some((place) => !place.startsWith('rediss://'))) {
    faults.push(
      'redis.tls: redis.url (REDIS_URL, redis.cluster.nodes) does not ask for TLS; let it begin with rediss://',
    );
  }
  return faults;
}
