/** Copies of the data on other servers, and what this one does when they are away. */
import { infoField } from '@sluice/store';
import { fail, ok, type RedisCheck, warn } from './check.js';

const replicasOf = (info: string) =>
  [...info.matchAll(/^slave\d+:.*state=(\w+)/gm)].map(([, state = '']) => state);

/** A missing one is the matter of `durability`, where somebody asks for it. */
export const replicas: RedisCheck = {
  name: 'replicas',
  judge({ info }) {
    const states = replicasOf(info);
    if (states.length === 0) return [];
    const online = states.filter((state) => state === 'online').length;
    const what = `${online} of ${states.length} replicas in step`;
    return online === states.length
      ? [ok(what)]
      : [warn(what, 'look at the log of the others: they copy the data, or cannot')];
  },
};

export const minReplicas: RedisCheck = {
  name: 'min-replicas',
  judge({ info, settings }) {
    const asked = settings['min-replicas-to-write'];
    const least = Number(asked ?? 0);
    const good = Number(infoField(info, 'min_slaves_good_slaves') || replicasOf(info).length);
    if (least > good) {
      const what = `min-replicas-to-write ${least}, but ${good} replicas are there: every write is refused`;
      return [fail(what, 'connect replicas, or CONFIG SET min-replicas-to-write to what is there')];
    }
    if (least > 0) return [ok(`min-replicas-to-write ${least}`)];
    if (asked === undefined || replicasOf(info).length === 0) return [];
    return [
      warn(
        'min-replicas-to-write 0: a primary that is cut off takes writes that a failover loses',
        'CONFIG SET min-replicas-to-write 1 and min-replicas-max-lag 2, and in redis.conf',
      ),
    ];
  },
};
