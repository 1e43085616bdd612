import { describe, expect, it } from '@jest/globals';
import {
  checkHistory,
  drawnSeed,
  type Fault,
  type FindingKind,
  type History,
  type View,
} from '@sluice/testkit';
import fc from 'fast-check';
import {
  LEASE_TTL_MS,
  madeHistory,
  type Plan,
  type Step,
} from '../support/history/history-made.js';
import { spoils } from '../support/history/history-spoiled.js';

const busy: Plan[] = [
  {
    cut: 7,
    steps: ['enqueue', 'enqueue', 'drain', 'interrupt', 'work', 'enqueue', 'interrupt', 'work'],
  },
  { cut: 0, steps: ['enqueue', 'work', 'drain', 'enqueue', 'enqueue'] },
];

const kinds = (history: History) => [
  ...new Set(checkHistory(history).findings.map(({ kind }) => kind)),
];
const all = Object.keys(spoils) as FindingKind[];

const step = fc.constantFrom<Step>('enqueue', 'enqueue', 'interrupt', 'work', 'drain');
const plans = fc.array(
  fc.record({ steps: fc.array(step, { minLength: 1, maxLength: 20 }), cut: fc.nat(40) }),
  { minLength: 1, maxLength: 3 },
);

describe('the history checker', () => {
  it('finds nothing in a clean history and counts its messages', () => {
    expect(checkHistory(madeHistory(busy))).toEqual({
      findings: [],
      totals: { messages: 8, lost: 0, doubled: 0, reordered: 0, overlaps: 0 },
    });
  });

  it('finds nothing in any clean history', () => {
    fc.assert(
      fc.property(plans, (made) => kinds(madeHistory(made)).length === 0),
      {
        seed: drawnSeed,
      },
    );
  });

  it.each(all)('finds %s wherever it is put', (kind) => {
    const clean = madeHistory(busy);
    let places = 0;
    for (let pick = 0; pick < 60; pick += 1) {
      const spoiled = spoils[kind](clean, pick);
      if (!spoiled) continue;
      places += 1;
      expect({ pick, kinds: kinds(spoiled) }).toEqual({
        pick,
        kinds: expect.arrayContaining([kind]),
      });
    }
    expect(places).toBeGreaterThan(0);
  });

  it('finds each kind of fault in any history', () => {
    fc.assert(
      fc.property(plans, fc.constantFrom(...all), fc.nat(1_000), (made, kind, pick) => {
        const spoiled = spoils[kind](madeHistory(made), pick);
        fc.pre(spoiled !== undefined);
        return spoiled !== undefined && kinds(spoiled).includes(kind);
      }),
      { seed: drawnSeed, numRuns: 500 },
    );
  });

  it('names the session and what happened', () => {
    const spoiled = spoils.lost(madeHistory(busy), 0);
    expect(spoiled && checkHistory(spoiled)).toMatchObject({
      findings: [{ kind: 'lost', session: 's1', detail: 'm1 has no outcome' }],
      totals: { lost: 1 },
    });
  });

  it('finds a message of a session that no connection ever saw again', () => {
    expect(kinds({ ...madeHistory(busy), views: [] })).toEqual(['lost']);
  });

  it('finds an interrupt that waited for more than the started head', () => {
    const steps: Step[] = ['enqueue', 'enqueue', 'enqueue', 'interrupt'];
    const early = madeHistory([{ cut: 0, steps }]);
    // The turns ran in the order m4, m1, m2, m3. Renamed, m1 and m2 ran before the interrupt.
    const names = new Map(Object.entries({ m4: 'm1', m1: 'm2', m2: 'm4' }));
    const rename = (frame: View['frames'][number]) =>
      frame.kind === 'event' && frame.status !== 'accepted' && frame.messageId
        ? { ...frame, messageId: names.get(frame.messageId) ?? frame.messageId }
        : frame;
    const views = early.views.map((view) => ({ ...view, frames: view.frames.map(rename) }));
    expect(kinds(early)).toEqual([]);
    expect(checkHistory({ ...early, views }).findings).toMatchObject([
      { kind: 'reordered', detail: 'interrupt m4 waited for 2 turns' },
    ]);
  });

  it('finds frames left out in another number than the next one says', () => {
    const clean = madeHistory(busy);
    const leave = (skipped: number): History => ({
      ...clean,
      views: clean.views.map((view) => {
        if (view.client !== 'late') return view;
        const [first, , , ...rest] = view.frames;
        const frames = rest.map((frame, at) => (at === 0 ? { ...frame, skipped } : frame));
        return { ...view, frames: first ? [first, ...frames] : frames };
      }),
    });
    expect(kinds(leave(2))).toEqual([]);
    expect(kinds(leave(1))).toEqual(['gap']);
    expect(kinds(leave(3))).toEqual(['repeat']);
  });

  it('finds a connection that did not go on where the one before it had ended', () => {
    const clean = madeHistory(busy);
    const moved = (by: number): History => ({
      ...clean,
      views: clean.views.map((view) =>
        view.since === 7 ? { ...view, since: 7 + by, frames: [] } : view,
      ),
    });
    expect(kinds(moved(0))).toEqual([]);
    expect(kinds(moved(1))).toEqual(['gap']);
    expect(kinds(moved(-1))).toEqual(['repeat']);
  });
});

describe('the history checker excuses', () => {
  const clean = madeHistory([{ cut: 0, steps: ['enqueue', 'enqueue'] }]);
  const [first, second] = clean.turns;
  const stop = (ms: number, node = 'n1'): Fault => {
    const startMs = (first?.startMs ?? 0) + 1;
    return { kind: 'stop', node, startMs, endMs: startMs + ms };
  };
  const asleep = (fault: Fault): History => ({
    ...clean,
    turns: clean.turns.map((turn) =>
      turn === first ? { ...turn, endMs: fault.endMs } : { ...turn, node: 'n2' },
    ),
    faults: [fault],
  });

  it('an overlap with a turn of a node that was stopped for longer than its lease', () => {
    expect(second?.startMs).toBeGreaterThan(0);
    expect(kinds(asleep(stop(LEASE_TTL_MS)))).toEqual([]);
  });

  it('no overlap when the node was stopped for less, or another one was', () => {
    expect(kinds(asleep(stop(LEASE_TTL_MS - 1)))).toEqual(['overlap']);
    expect(kinds(asleep(stop(LEASE_TTL_MS, 'n3')))).toEqual(['overlap']);
  });

  it('no overlap that began when the node had long been awake', () => {
    const fault = stop(LEASE_TTL_MS);
    const beginsAt = (startMs: number): History => {
      const { turns, ...rest } = asleep(fault);
      const later = turns.map((turn) =>
        turn.messageId === first?.messageId
          ? { ...turn, endMs: null }
          : { ...turn, startMs, endMs: startMs + 300 },
      );
      return { ...rest, turns: later };
    };
    expect(kinds(beginsAt(fault.endMs + 2_000))).toEqual([]);
    expect(kinds(beginsAt(fault.endMs + 2_001))).toEqual(['overlap']);
  });

  it('50 ms of overlap and no more', () => {
    const endAt = (endMs: number) => ({
      ...clean,
      turns: clean.turns.map((turn) => (turn === first ? { ...turn, endMs } : turn)),
    });
    expect(kinds(endAt((second?.startMs ?? 0) + 50))).toEqual([]);
    expect(kinds(endAt((second?.startMs ?? 0) + 51))).toEqual(['overlap']);
  });

  it('a turn that was cut at once and whose request arrived after the next one', () => {
    const swapped = (lateMs: number, more: Partial<History['turns'][number]>): History => {
      const startMs = (second?.startMs ?? 0) + 1;
      const late = { startMs, endMs: (second?.startMs ?? 0) + lateMs, ...more };
      return {
        ...clean,
        turns: clean.turns.map((turn) => (turn === first ? { ...turn, ...late } : turn)),
      };
    };
    const sameHolder = { node: second?.node, fence: second?.fence };
    for (const [lateMs, more] of [
      [50, { closedByPeer: true, fence: 99 }],
      [50, { ...sameHolder, closedByPeer: false }],
      [250, { ...sameHolder, closedByPeer: true }],
    ] as const) {
      expect(kinds(swapped(lateMs, more))).toEqual([]);
      expect(kinds(swapped(lateMs + 1, more))).toEqual(['overlap']);
    }
  });

  it('another event under the same number in a later epoch, when Redis may have lost its tail', () => {
    const other = spoils.conflict(clean, 3);
    const views = other?.views.map((view) =>
      view.client === 'late' ? { ...view, epoch: '1795384129742001' } : view,
    );
    const later = { ...clean, views: views ?? [] };
    const redis: Fault = { kind: 'redis', node: null, startMs: 0, endMs: 1 };
    expect(kinds(later)).toEqual(['conflict']);
    expect(kinds({ ...later, faults: [redis] })).toEqual([]);
  });

  it('a SESSION_END whose cut no agent saw, while a node was cutting and only then', () => {
    const clean = madeHistory(busy);
    const [end] = clean.ends;
    if (!end) throw new Error('nothing was cut');
    const unseen = { ...clean, forcedCloses: clean.forcedCloses.slice(1) };
    const cutting = (startMs: number) => ({
      ...unseen,
      cuttings: [{ startMs, endMs: startMs + 9 }],
    });
    expect(kinds(cutting(end.atMs - 5))).toEqual([]);
    expect(kinds(cutting(end.atMs + 1))).toEqual(['end_unexpected']);
  });

  it('a jump over frames that were left out, and a snapshot', () => {
    const [live, rest, late] = clean.views;
    if (!live || !rest || !late) throw new Error('three views are made');
    const frames = late.frames
      .slice(2)
      .map((frame, at) => (at === 0 ? { ...frame, skipped: 2 } : frame));
    expect(kinds({ ...clean, views: [live, rest, { ...late, frames }] })).toEqual([]);
    const snapshot = { kind: 'snapshot' as const, seq: 2, epoch: late.epoch };
    const after = { ...late, frames: [snapshot, ...late.frames.slice(2)] };
    expect(kinds({ ...clean, views: [live, rest, after] })).toEqual([]);
  });
});
