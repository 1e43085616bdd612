/** Whether messages that were acknowledged can be evicted, and whether there is room for new ones. */
import { infoField } from '@sluice/store';
import { fail, ok, type RedisCheck, warn } from './check.js';

export const eviction: RedisCheck = {
  name: 'eviction',
  judge({ info }) {
    const policy = infoField(info, 'maxmemory_policy');
    if (policy === 'noeviction') return [ok('maxmemory-policy noeviction')];
    const what = `maxmemory-policy ${policy || 'unknown'}: messages could be evicted`;
    return [fail(what, 'CONFIG SET maxmemory-policy noeviction, and in redis.conf')];
  },
};

export const memory: RedisCheck = {
  name: 'memory',
  judge({ info, isFull }) {
    if (isFull) return [fail('maxmemory is nearly used up', 'raise it, or delete data')];
    const limit = infoField(info, 'maxmemory');
    if (limit !== '0') return limit === '' ? [] : [ok(`maxmemory ${shown(Number(limit))}`)];
    const what =
      'no maxmemory: the system ends Redis when its host is full, and nodes see no limit';
    return [
      warn(what, "CONFIG SET maxmemory to half of the host's memory at most, and in redis.conf"),
    ];
  },
};

const shown = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;
