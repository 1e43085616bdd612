import { infoField } from '@sluice/store';
import { fail, ok, type RedisCheck, warn } from './check.js';

const remedy = 'CONFIG SET appendonly yes, and in redis.conf';

/** What is left of the data when this Redis ends. */
export const persistence: RedisCheck = {
  name: 'persistence',
  judge({ info, server, settings }, { durability }) {
    if (infoField(info, 'aof_enabled') !== '1') {
      const loss =
        settings.save === ''
          ? 'and no snapshots: a restart of Redis loses everything'
          : 'a restart of Redis loses what came after its last snapshot';
      const joint = settings.save === '' ? ' ' : ': ';
      return [warn(`append-only file off${joint}${loss}`, remedy)];
    }
    const isWritten = ['aof_last_write_status', 'aof_last_bgrewrite_status'].every(
      (name) => infoField(info, name) !== 'err',
    );
    if (!isWritten) {
      const what = 'append-only file on, but Redis cannot write it';
      return [fail(what, 'its log says why; look whether its disk is full')];
    }
    if (settings.appendfsync === 'no') {
      const what = 'appendfsync no: when its host dies, Redis loses half a minute';
      return [warn(what, 'CONFIG SET appendfsync everysec, and in redis.conf')];
    }
    if (durability === 'aof' && settings.appendfsync === 'everysec' && server.startsWith('Redis')) {
      const what = 'redis.durability aof with appendfsync everysec: acknowledgements take a second';
      return [warn(what, 'CONFIG SET appendfsync always, and in redis.conf')];
    }
    return [ok('append-only file on')];
  },
};
