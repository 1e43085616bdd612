import { describe, expect, it } from '@jest/globals';
import { Beats } from '../../apps/gateway/dist/node/beats.js';

type Load = { executing: number; concurrency?: number };
const beat = (node: string, load: Load, more: { status?: string; ageMs?: number } = {}) => ({
  ...{ node, status: 'worker', ageMs: 0, ...more },
  info: JSON.stringify({ agents: ['echo'], load }),
});

describe('room at other workers', () => {
  it('T8 is counted on once for each slot that was free, however often one beat is heard', () => {
    const beats = new Beats();
    const takes = () => [1, 2, 3].map(() => beats.takeRoom('echo', 'self'));
    const told = [beat('self', { executing: 0, concurrency: 9 })];
    beats.heard([...told, beat('other', { executing: 6, concurrency: 8 })], 1_000);
    expect(takes()).toEqual([true, true, false]);
    // The same beat a second later, then the next one of that node.
    beats.heard(
      [...told, beat('other', { executing: 6, concurrency: 8 }, { ageMs: 1_000 })],
      2_000,
    );
    expect(takes()).toEqual([false, false, false]);
    beats.heard([...told, beat('other', { executing: 7, concurrency: 8 })], 2_100);
    expect(takes()).toEqual([true, false, false]);
  });

  it('T8 is at live workers that have the agent', () => {
    const beats = new Beats();
    const free = { executing: 0, concurrency: 8 };
    beats.heard(
      [
        beat('drains', free, { status: 'draining' }),
        beat('edge', free, { status: 'edge' }),
        beat('silent', free, { ageMs: 10_000 }),
        beat('older', { executing: 0 }),
        beat('worker', free),
      ],
      50_000,
    );
    expect(beats.takeRoom('another', 'self')).toBe(false);
    expect(beats.takeRoom('echo', 'worker')).toBe(false);
    expect(beats.takeRoom('echo', 'self')).toBe(true);
  });
});
