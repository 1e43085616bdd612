import type { Keys } from '../keys/keys.js';
import type { Connections } from '../redis/connections.js';
import type { RingQueues } from './ring.js';

/**
 * Which queue a session's ring goes to: one at the master that has the session, so that no other master can hold it
 * up; if that has none, one whose master answers. Every worker serves all queues.
 */
export function makeRingQueues(
  { serverOf, isReadyFor }: Pick<Connections, 'serverOf' | 'isReadyFor'>,
  keys: Keys,
  count: number,
): Pick<RingQueues, 'prefixes' | 'pick'> {
  const prefixes = count === 1 ? [keys.ringPrefix] : keys.ringPrefixes(count);
  const all = prefixes.map((_, queue) => queue);
  const placeOf = (queue: number) => prefixes[queue] ?? '';
  function candidates(partition: number): readonly number[] {
    const home = serverOf(keys.partition(partition).pending);
    const here = all.filter((queue) => serverOf(placeOf(queue)) === home);
    if (here.length > 0) return here;
    const answering = all.filter((queue) => isReadyFor(placeOf(queue)));
    return answering.length > 0 ? answering : all;
  }
  return {
    prefixes,
    pick(id) {
      if (count === 1) return 0;
      const partition = keys.partitionOf(id);
      const some = candidates(partition);
      return some[partition % some.length] ?? 0;
    },
  };
}
