import { describe, expect, it } from '@jest/globals';
import { makeSlots } from '../../apps/gateway/dist/worker/slots.js';

const LONG_MS = 60_000;

describe('slots', () => {
  it('T8 pass to those in line in order, and to no wake while somebody is', async () => {
    const slots = makeSlots(2);
    expect([slots.tryTake(), await slots.take(LONG_MS), slots.free]).toEqual([true, true, 0]);
    const got: string[] = [];
    const first = slots.take(LONG_MS).then((it) => got.push(`first ${it}`));
    const second = slots.take(LONG_MS).then((it) => got.push(`second ${it}`));
    slots.give();
    expect([slots.tryTake(), slots.free]).toEqual([false, 0]);
    await first;
    slots.give();
    await second;
    expect(got).toEqual(['first true', 'second true']);
    slots.give();
    expect([slots.free, slots.tryTake(), slots.free]).toEqual([1, true, 0]);
  });

  it('T8 go first to one that has waited longer elsewhere', async () => {
    const slots = makeSlots(1);
    await slots.take(0);
    const nowMs = Date.now();
    const got: string[] = [];
    const waits = [
      slots.take(LONG_MS, nowMs - 100).then(() => got.push('second')),
      slots.take(LONG_MS, nowMs).then(() => got.push('third')),
      slots.take(LONG_MS, nowMs - 500).then(() => got.push('first')),
      slots.take(LONG_MS, nowMs).then(() => got.push('fourth')),
    ];
    for (const _ of waits) slots.give();
    await Promise.all(waits);
    expect(got).toEqual(['first', 'second', 'third', 'fourth']);
  });

  it('T8 are lost to nobody: not to one whose time is over, nor to one who was sent away', async () => {
    const slots = makeSlots(1);
    await slots.take(0);
    expect(await slots.take(10)).toBe(false);
    const sentAway = slots.take(LONG_MS);
    slots.dismiss();
    expect(await sentAway).toBe(false);
    slots.give();
    expect(slots.free).toBe(1);
    expect(await slots.take(0)).toBe(true);
  });
});
