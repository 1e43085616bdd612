import { describe, expect, it } from '@jest/globals';
import { StoreUnavailable } from '@sluice/store';
import { eventually } from '@sluice/testkit';
import { type Repairable, RepairLine } from '../../apps/gateway/dist/edge/repair-line.js';

describe('feeds that missed something', () => {
  it('C3 B1 read their logs 64 at a time, however many there are', async () => {
    const line = new RepairLine();
    const open: (() => void)[] = [];
    let most = 0;
    let done = 0;
    const feed = (): Repairable => ({
      async repair() {
        await new Promise<void>((resolve) => {
          most = Math.max(most, open.push(resolve));
        });
        done++;
      },
      failed: () => undefined,
    });
    for (let i = 0; i < 1_000; i++) line.add(feed());
    await eventually(() => {
      for (const answer of open.splice(0)) answer();
      return done === 1_000;
    });
    expect(most).toBe(64);
  });

  it('C3 are read again behind the others when Redis did not answer, once for all who asked', async () => {
    const line = new RepairLine();
    const order: string[] = [];
    const feed = (name: string, failures = 0): Repairable => ({
      async repair() {
        order.push(name);
        if (failures-- > 0) throw new StoreUnavailable('away');
      },
      failed: () => undefined,
    });
    const failing = feed('failing', 2);
    const others = Array.from({ length: 100 }, (_, i) => feed(`other ${i}`));
    for (const each of [failing, ...others, ...others.slice(-1)]) line.add(each);
    await eventually(() => order.filter((name) => name === 'failing').length === 3);
    line.add(feed('late'));
    await eventually(() => order.includes('late'));
    expect(order.slice(0, 2)).toEqual(['failing', 'other 0']);
    expect(order).toHaveLength(3 + others.length + 1);
  });

  it('C3 X4 that fail for good make no other wait, and end nothing', async () => {
    const line = new RepairLine();
    const failures: unknown[] = [];
    const bad = (): Repairable => ({
      repair: () => Promise.reject(new Error('WRONGTYPE')),
      failed: (error) => failures.push(error),
    });
    for (let i = 0; i < 200; i++) line.add(bad());
    let isRead = false;
    line.add({
      async repair() {
        isRead = true;
      },
      failed: () => undefined,
    });
    await eventually(() => isRead && failures.length === 200);
  });
});
