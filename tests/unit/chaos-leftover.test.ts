import { describe, expect, it } from '@jest/globals';
import { documentedKeys } from '../chaos/leftover.js';

describe('the keys that remain', () => {
  const isDocumented = (key: string) => documentedKeys('chaos').some((it) => it.test(key));

  it('are those of the table of docs/operate/operations.md, under the prefix of the run', () => {
    const keys = ['chaos:nodes', 'chaos:{p17}:swept', '{chaos-ring-0}:ring:meta'];
    expect(keys.filter((key) => !isDocumented(key))).toEqual([]);
  });

  it('are no keys of a session, of its listings, of its rings or of another prefix', () => {
    const session = 'chaos:{p17}:s:jbkqQz1mTtLr.s1';
    const left = [
      ...['state', 'inbox', 'events', 'messages', 'seen', 'lease'].map((it) => `${session}:${it}`),
      ...['pending', 'sessions', 'u:jbkqQz1mTtLr', 'dead', 'ends'].map((it) => `chaos:{p17}:${it}`),
      ...['{chaos-ring-0}:ring:r-abc-1', '{chaos-ring-0}:ring:failed', 'sluice:nodes'],
    ];
    expect(left.filter(isDocumented)).toEqual([]);
  });

  it('must be named somewhere: without a table there is nothing to compare with', () => {
    expect(() => documentedKeys('chaos', '## Keys that remain\n\nNone.')).toThrow('no table');
  });
});
