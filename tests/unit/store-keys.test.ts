import { describe, expect, it } from '@jest/globals';
import { makeKeys, principalHash, sessionKeyId } from '@sluice/store';
import fc from 'fast-check';
import { crc16 } from '../../packages/store/dist/keys/keys.js';

/** Slot of a key or channel in Redis Cluster: of its hash tag, when it has one. */
function slotOf(name: string): number {
  const tag = /\{([^}]+)\}/.exec(name)?.[1];
  return crc16(tag ?? name) % 16_384;
}

describe('the names of keys and channels', () => {
  it('use the checksum of Redis Cluster', () => {
    // The value of the specification, and slots as CLUSTER KEYSLOT returns them.
    expect(crc16('123456789')).toBe(0x31c3);
    expect(['foo', 'bar', 'hello', 'somekey'].map(slotOf)).toEqual([12182, 5061, 866, 11058]);
    expect(slotOf('x{foo}y')).toBe(slotOf('foo'));
  });

  it('of one session fall into one slot, that of its partition', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.stringMatching(/^[A-Za-z0-9._:-]{1,64}$/),
        (principal, session) => {
          const keys = makeKeys('sluice', 64);
          const id = sessionKeyId(principal, session);
          const partition = keys.partitionOf(id);
          const names = [
            ...Object.values(keys.session(id)),
            ...Object.values(keys.partition(partition)),
            keys.channel(id),
            `${keys.nodeChannelPrefix(partition)}node-1`,
          ];
          for (const name of names) {
            expect(name.startsWith(`sluice:{p${partition}}:`)).toBe(true);
            expect(slotOf(name)).toBe(slotOf(`{p${partition}}`));
          }
        },
      ),
      { seed: 7, numRuns: 200 },
    );
  });

  it('spread the sessions over all partitions', () => {
    const keys = makeKeys('sluice', 64);
    const used = new Set(
      Array.from({ length: 2_000 }, (_, n) => keys.partitionOf(sessionKeyId('alice', `s-${n}`))),
    );
    expect(used.size).toBe(64);
  });

  it('of different sessions never meet', () => {
    const keys = makeKeys('sluice', 64);
    const ids = [
      sessionKeyId('alice', 's'),
      sessionKeyId('bob', 's'),
      sessionKeyId('alice', 's:state'),
      sessionKeyId('alice', 't'),
    ];
    const own = ids.flatMap((id) => {
      const { state, inbox, events, messages, seen, lease } = keys.session(id);
      return [state, inbox, events, messages, seen, lease, keys.channel(id)];
    });
    expect(new Set(own).size).toBe(own.length);
  });

  it('X2 begin with the namespace of the principal', () => {
    expect(sessionKeyId('alice', 's')).toBe(`${principalHash('alice')}.s`);
    expect(principalHash('alice')).toMatch(/^[\w-]{12}$/);
    expect(principalHash('alice')).not.toBe(principalHash('bob'));
  });
});
