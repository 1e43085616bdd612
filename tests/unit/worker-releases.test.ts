import { describe, expect, it } from '@jest/globals';
import { type Lease, StoreUnavailable } from '@sluice/store';
import { eventually } from '@sluice/testkit';
import { makeReleases } from '../../apps/gateway/dist/worker/held/releases.js';

const leaseOf = (at: number): Lease => ({ id: `p.${at}`, token: `t${at}`, fence: at });

describe('idle leases that are given up', () => {
  it('D5 go together, at most 100 of one partition in a call and four calls at once', async () => {
    const calls: { partition: number; ids: string[]; answer(): void }[] = [];
    const manyLeases = {
      release: (partition: number, leases: readonly Lease[]) =>
        new Promise((resolve) => {
          const ids = leases.map(({ id }) => id);
          calls.push({
            partition,
            ids,
            answer: () => resolve(ids.map(() => ({ kind: 'released' }))),
          });
        }),
    };
    const releases = makeReleases(manyLeases as never, (id) => Number(id.slice(2)) % 3);
    const all = Promise.all(Array.from({ length: 660 }, (_, at) => releases.release(leaseOf(at))));
    await eventually(() => calls.length === 4);
    for (let answered = 0; answered < 9; answered += 1) {
      await eventually(() => calls.length === Math.min(9, answered + 4));
      calls[answered]?.answer();
    }
    expect((await all).every(({ kind }) => kind === 'released')).toBe(true);
    // Each partition in its turn.
    expect(calls.map(({ partition }) => partition)).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2]);
    expect(calls.map(({ ids }) => ids.length)).toEqual([...Array(6).fill(100), 20, 20, 20]);
    expect(new Set(calls.flatMap(({ ids }) => ids)).size).toBe(660);
  });

  it('D5 C3 get each its own answer, and all of a call that fails get its error', async () => {
    let isAway = true;
    const manyLeases = {
      async release(_partition: number, leases: readonly Lease[]) {
        if (isAway) throw new StoreUnavailable();
        return leases.map(({ fence }) => ({ kind: fence === 2 ? 'more' : 'released' }));
      },
    };
    const releases = makeReleases(manyLeases as never, () => 0);
    const ask = () => [1, 2, 3].map((at) => releases.release(leaseOf(at)));
    for (const asked of ask()) await expect(asked).rejects.toThrow(StoreUnavailable);
    isAway = false;
    const kinds = (await Promise.all(ask())).map(({ kind }) => kind);
    expect(kinds).toEqual(['released', 'more', 'released']);
  });
});
