/** Whether a node would start on this Redis at all. */
import { LAYOUT_BEFORE, LAYOUT_VERSION, RIGHTS_REMEDY } from '@sluice/store';
import { fail, ok, type RedisCheck, warn } from './check.js';

export const version: RedisCheck = {
  name: 'version',
  judge: ({ refusal, server }) =>
    refusal ? [fail(refusal.what, refusal.todo)] : [ok(`version ${server}`)],
};

export const rights: RedisCheck = {
  name: 'rights',
  judge: ({ missingRight }) => (missingRight ? [fail(missingRight, RIGHTS_REMEDY)] : []),
};

export const durability: RedisCheck = {
  name: 'durability',
  judge({ durabilityFault }) {
    if (durabilityFault === null) return [];
    const [what = '', ...remedy] = durabilityFault.split(': ');
    return [fail(what, remedy.join(': '))];
  },
};

export const layout: RedisCheck = {
  name: 'layout',
  judge({ layout: stored }, { prefix, partitions }) {
    if (!stored) return [ok(`no data yet under the prefix ${prefix}`)];
    const what = `data under the prefix ${prefix}: layout ${stored.version}, ${stored.partitions} partitions`;
    if (stored.version === LAYOUT_BEFORE) {
      const remedy =
        'drain all nodes of the release that wrote it, then start this one: it writes another layout';
      return [warn(what, remedy)];
    }
    if (stored.version !== LAYOUT_VERSION) {
      const remedy = `this release reads layout ${LAYOUT_VERSION}; use another redis.prefix`;
      return [fail(what, remedy)];
    }
    if (stored.partitions === partitions) return [ok(what)];
    const remedy = `set redis.partitions to ${stored.partitions}, or use another redis.prefix`;
    return [fail(`${what}, but redis.partitions is ${partitions}`, remedy)];
  },
};
