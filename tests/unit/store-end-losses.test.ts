import { describe, expect, it } from '@jest/globals';
import { Losses } from '../../packages/store/src/ends/end-losses.js';

const stream = (added: number, length: number, lastId = `${added}-0`) => ({
  added,
  length,
  lastId,
});
const group = (deliveredId: string, read: number) => ({ deliveredId, read });

describe('what is lost by trimming', () => {
  it('D4 B1 is what was trimmed before the group had read it', () => {
    expect(new Losses().ofGroup(stream(10, 10), group('4-0', 4))).toBe(0);
    expect(new Losses().ofGroup(stream(10, 6), group('4-0', 4))).toBe(0);
    expect(new Losses().ofGroup(stream(10, 3), group('4-0', 4))).toBe(3);
    expect(new Losses().ofGroup(stream(10, 3), group('0-0', Number.NaN))).toBe(7);
  });

  it.each([
    ['of Redis 7.0, which leave out what was skipped', 3],
    ['of a Redis that counts what was skipped', 0],
  ])('D4 B1 is counted once, with counters %s', (_, behind) => {
    const losses = new Losses();
    const first = losses.ofGroup(stream(10, 3), group('4-0', 4));
    losses.countedOfGroup(first);
    // It has read everything; 5 more come, 2 of them are trimmed.
    expect(losses.ofGroup(stream(10, 3), group('10-0', 10 - behind))).toBe(0);
    expect(losses.ofGroup(stream(15, 3), group('10-0', 10 - behind))).toBe(2);
  });

  it('D4 is not guessed where Redis does not count', () => {
    const old = { added: Number.NaN, length: 3, lastId: '9-0' };
    expect(new Losses().ofGroup(old, group('4-0', Number.NaN))).toBe(0);
    expect(new Losses().ofGroup(stream(10, 3), group('4-0', Number.NaN))).toBe(0);
  });

  it('D4 is known without a group once the end of the stream was reached', () => {
    const losses = new Losses();
    expect(losses.ofReader(stream(10, 3), { count: 3, asked: 5 })).toBe(0);
    expect(losses.ofReader(stream(20, 5), { count: 5, asked: 5 })).toBe(5);
    expect(losses.ofReader(stream(20, 5), { count: 0, asked: 5 })).toBe(0);
    expect(losses.ofReader(stream(22, 1), { count: 1, asked: 5 })).toBe(1);
  });
});
