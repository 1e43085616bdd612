import { describe, expect, it } from '@jest/globals';
import { makeSlots } from '../../apps/gateway/dist/worker/gates/slots.js';

const LONG_MS = 60_000;

describe('slots', () => {
  it('T8 pass to those in line in order, and to no wake while somebody is', async () => {
    const slots = makeSlots(2, LONG_MS);
    expect([slots.tryTake(), await slots.take(), slots.free]).toEqual([true, true, 0]);
    const got: string[] = [];
    const first = slots.take().then((it) => got.push(`first ${it}`));
    const second = slots.take().then((it) => got.push(`second ${it}`));
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
    const slots = makeSlots(1, LONG_MS);
    await slots.take();
    const nowMs = Date.now();
    const got: string[] = [];
    const waits = [
      slots.take({ sinceMs: nowMs - 100 }).then(() => got.push('second')),
      slots.take({ sinceMs: nowMs }).then(() => got.push('third')),
      slots.take({ sinceMs: nowMs - 500 }).then(() => got.push('first')),
      slots.take({ sinceMs: nowMs }).then(() => got.push('fourth')),
    ];
    for (const _ of waits) slots.give();
    await Promise.all(waits);
    expect(got).toEqual(['first', 'second', 'third', 'fourth']);
  });

  it('T8 are not lost to one whose time is over, nor to one that was sent away', async () => {
    const slots = makeSlots(1, 10);
    await slots.take();
    expect(await slots.take()).toBe(false);
    const sentAway = slots.take({ mayStay: () => true });
    slots.dismiss();
    expect(await sentAway).toBe(false);
    slots.give();
    expect(slots.free).toBe(1);
    expect(await slots.take()).toBe(true);
  });

  it('T8 keep the place of one that may stay, and are not waited for by one that may not any more', async () => {
    const slots = makeSlots(1, 10);
    await slots.take();
    const got: string[] = [];
    let looks = 0;
    const patient = slots.take({ mayStay: () => ++looks < 5 }).then((it) => got.push(`a ${it}`));
    const next = slots.take({ mayStay: () => true }).then((it) => got.push(`b ${it}`));
    await patient;
    expect([got, looks, slots.waiting]).toEqual([['a false'], 5, 1]);
    slots.give();
    await next;
    expect([got, slots.waiting]).toEqual([['a false', 'b true'], 0]);
  });
});
