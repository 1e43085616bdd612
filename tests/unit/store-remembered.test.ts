import { describe, expect, it } from '@jest/globals';
import { makeId, randomText } from '@sluice/runtime';
import { remembered } from '../../packages/store/dist/keys/remembered.js';

describe('what is derived from names', () => {
  it('is made once, and again after too many other names', () => {
    let made = 0;
    const lengthOf = remembered((name) => {
      made += 1;
      return name.length;
    });
    expect([lengthOf('abc'), lengthOf('abc'), made]).toEqual([3, 3, 1]);
    for (let n = 0; n < 2_000; n++) lengthOf(`name ${n}`);
    expect([lengthOf('abc'), made]).toEqual([3, 2_002]);
  });

  it('draws no random text twice, of whatever length', () => {
    const drawn = Array.from({ length: 3_000 }, (_, n) => randomText(5 + (n % 12)));
    expect(new Set(drawn).size).toBe(3_000);
    expect(randomText(5)).toMatch(/^[\w-]{7}$/);
    expect(makeId('turn')).toMatch(/^turn_[\w-]{22}$/);
  });
});
