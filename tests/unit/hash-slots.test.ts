import { describe, expect, it } from '@jest/globals';
import { makeKeys } from '@sluice/store';
import { slotOf } from '@sluice/testkit';

describe('hash slots', () => {
  it('X2 keys of a session, its channel, and its node channels are in one slot', () => {
    const keys = makeKeys('sluice', 64);
    const id = 'abcdefghijkl.demo';
    const names = [
      ...Object.values(keys.session(id)),
      ...[keys.channel(id), `${keys.nodeChannelPrefix(keys.partitionOf(id))}node-1`],
    ];
    expect(new Set(names.map(slotOf)).size).toBe(1);
  });

  it('T8 the queues of rings are spread evenly, whatever the prefix is', () => {
    for (const prefix of ['sluice', 'a:b', 'c1']) {
      const shares = makeKeys(prefix, 64)
        .ringPrefixes(8)
        .map((name) => Math.floor(slotOf(name) / 2_048));
      expect(shares).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    }
  });
});
