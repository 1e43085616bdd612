import { describe, expect, it } from '@jest/globals';
import { type RingOptions, StoreUnavailable } from '@sluice/store';
import { passOn } from '../../apps/gateway/dist/worker/run-session.js';

describe('a ring that must go to others', () => {
  const contextWith = (drawRing: () => Promise<string>) => {
    const lines: string[] = [];
    const note = (level: string) => (_fields: object, msg: string) => lines.push(`${level} ${msg}`);
    const log = { debug: note('debug'), warn: note('warn'), error: note('error') };
    const rung: [string, number | undefined][] = [];
    const rings = {
      ring: async (id: string, _ring: string, { sinceMs }: RingOptions) => rung.push([id, sinceMs]),
    };
    return {
      context: { leases: { drawRing }, rings, log, phase: 'hand_over' } as never,
      lines,
      rung,
    };
  };

  it('T7 C3 is left to the sweep, quietly, while Redis is away', async () => {
    const { context, lines, rung } = contextWith(async () => {
      throw new StoreUnavailable();
    });
    await passOn(context, 's', 0);
    expect([lines, rung]).toEqual([['debug ring not passed on'], []]);
  });

  it('T7 T8 is rung anew with its place in line; another failure is thrown', async () => {
    const given = contextWith(async () => '7');
    await passOn(given.context, 's', 0, 1_234);
    await passOn(given.context, 's', 250);
    expect(given.rung).toEqual([
      ['s', 1_234],
      ['s', undefined],
    ]);
    const bug = new Error('a bug');
    const failing = contextWith(() => Promise.reject(bug));
    await expect(passOn(failing.context, 's', 0)).rejects.toBe(bug);
  });
});
