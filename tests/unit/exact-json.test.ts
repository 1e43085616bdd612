import { describe, expect, it } from '@jest/globals';
import { parseExactJson } from '@sluice/protocol';
import { drawnSeed } from '@sluice/testkit';
import fc from 'fast-check';

describe('JSON that is kept exactly or refused', () => {
  it.each([
    ['{"a":9007199254740993}', 'a', '9007199254740993'],
    ['{"a":-9007199254740993}', 'a', '-9007199254740993'],
    ['{"a":{"b":[0,{"c":18446744073709551615}]}}', 'a.b.1.c', '18446744073709551615'],
    ['{"s":"12345678901234567890 \\" ","n":12345678901234567891}', 'n', '12345678901234567891'],
    ['{"a":18446744073709551616}', 'a', '18446744073709551616'],
    ['{"a":1e999}', 'a', '1e999'],
    ['9007199254740993', '', '9007199254740993'],
  ])('S5 refuses %s, a number that would be rounded', (text, field, literal) => {
    const parsed = parseExactJson(text);
    expect(parsed).toMatchObject({ kind: 'refused', field });
    expect(parsed).toMatchObject({ message: expect.stringContaining(`the number ${literal} `) });
  });

  it.each([
    ['{"__proto__":1}', '__proto__'],
    ['{"a":[{"b":{"__proto__":{}}}]}', 'a.0.b.__proto__'],
    ['{"a":{"__pr\\u006fto__":1}}', 'a.__proto__'],
  ])('S5 refuses %s, whose key would be lost', (text, field) => {
    expect(parseExactJson(text)).toMatchObject({ kind: 'refused', field });
  });

  it('S5 takes numbers that are exact, and digits and names within strings', () => {
    for (const text of [
      '[9007199254740992,-9007199254740992,-61721647101456090,10000000000000000000000,-0]',
      '[0.1,0.1000000000000000055511151231257827,1.7976931348623157e308,1e-400]',
      '["9007199254740993","__proto__","1e999","\\u005f"]',
    ]) {
      expect(parseExactJson(text)).toEqual({ kind: 'json', value: JSON.parse(text) });
    }
  });

  it('S5 takes whatever JSON.stringify writes of JSON', () => {
    const noProto = fc.jsonValue({ noUnicodeString: false, maxDepth: 5 });
    fc.assert(
      fc.property(noProto, (value) => {
        const text = JSON.stringify(value);
        fc.pre(!text.includes('__proto__'));
        expect(parseExactJson(text)).toEqual({ kind: 'json', value: JSON.parse(text) });
      }),
      { seed: drawnSeed },
    );
  });
});
