import { describe, expect, it } from '@jest/globals';
import type { FindingKind, History } from '@sluice/testkit';
import { judge, type Seen } from '../demo/judge.js';
import { madeHistory, type Step } from '../support/history/history-made.js';
import { spoils } from '../support/history/history-spoiled.js';

const enqueued = Array.from({ length: 12 }, (): Step => 'enqueue');

/** Twelve messages; the node that began the fourth died, and a later node handed the session over. */
function goodRun(): Seen {
  const steps: Step[] = [...enqueued, 'work', 'work', 'work', 'drain'];
  const made = madeHistory([{ cut: 30, steps }]);
  const cut = made.turns.find(({ closedByPeer }) => closedByPeer);
  const startMs = Number(cut?.endMs);
  const history: History = {
    ...made,
    faults: [{ kind: 'kill', node: cut?.node ?? '', startMs, endMs: startMs + 10 }],
    handOvers: [{ session: 's1', atMs: startMs + 60_000, pauseMs: 4 }],
  };
  return { history, messages: 12, exits: [0, 0] };
}

const rowsOf = (seen: Seen) => Object.fromEntries(judge(seen).rows);
const faultsOf = (seen: Seen) => judge(seen).faults.map((fault) => fault.split(':', 1)[0]);

describe('the judge of the demo', () => {
  it('counts a good run and finds nothing', () => {
    expect(judge(goodRun()).faults).toEqual([]);
    expect(rowsOf(goodRun())).toMatchObject({
      'messages acknowledged': '12',
      outcomes: '12',
      lost: '0',
      doubled: '0',
      reordered: '0',
      'overlapping turns': '0',
      'slowest hand-over': '4 ms',
      takeover: expect.stringMatching(/^\d+ ms$/),
    });
  });

  const kinds: readonly FindingKind[] = [
    ...(['lost', 'doubled', 'reordered', 'gap', 'repeat', 'garbled', 'overlap'] as const),
  ];

  it.each(kinds)('finds it in any place where a message or event is %s', (kind) => {
    const good = goodRun();
    let spoiled = 0;
    for (let pick = 0; pick < 40; pick += 1) {
      const history = spoils[kind](good.history, pick);
      if (!history) continue;
      spoiled += 1;
      expect(faultsOf({ ...good, history })).toContain(kind);
    }
    expect(spoiled).toBeGreaterThan(5);
  });

  it('counts what was lost, doubled and reordered', () => {
    const good = goodRun();
    for (const kind of ['lost', 'doubled', 'reordered'] as const) {
      const history = spoils[kind](good.history, 2);
      expect(history).toBeDefined();
      if (history) expect(rowsOf({ ...good, history })[kind]).not.toBe('0');
    }
    const lost = spoils.lost(good.history, 2);
    if (lost) expect(rowsOf({ ...good, history: lost }).outcomes).toBe('11');
  });

  it('calls a run void that did not meet what it is about', () => {
    const good = goodRun();
    const withHistory = (change: Partial<History>) =>
      faultsOf({ ...good, history: { ...good.history, ...change } });
    expect(withHistory({ faults: [] })).toEqual(['void']);
    expect(withHistory({ handOvers: [] })).toEqual(['void']);
    expect(faultsOf({ ...good, messages: 13 })).toEqual(['void']);
    const calm = madeHistory([{ cut: 0, steps: enqueued }]);
    expect(faultsOf({ ...good, history: calm })).toEqual(['void', 'void', 'void']);
  });

  it('wants a session to go on in time', () => {
    const good = goodRun();
    const [told] = good.history.handOvers;
    const handOvers = told ? [{ ...told, pauseMs: 1_001 }] : [];
    expect(faultsOf({ ...good, history: { ...good.history, handOvers } })).toEqual(['slow']);
    const faults = good.history.faults.map((fault) => ({ ...fault, startMs: fault.startMs - 1 }));
    const late = { ...good.history, faults, leaseTtlMs: -2_000 };
    expect(faultsOf({ ...good, history: late })).toEqual(['slow']);
  });

  it('wants every outcome to be ok and every node to end with 0', () => {
    const good = goodRun();
    const views = good.history.views.map((view) => ({
      ...view,
      frames: view.frames.map((frame) =>
        frame.kind === 'event' && frame.messageId === 'm7' && frame.status === 'final'
          ? { ...frame, outcome: 'error' }
          : frame,
      ),
    }));
    expect(faultsOf({ ...good, history: { ...good.history, views } })).toContain('outcome');
    expect(faultsOf({ ...good, exits: [0, 75] })).toEqual(['exit']);
    expect(faultsOf({ ...good, exits: [null] })).toEqual(['exit']);
  });
});
