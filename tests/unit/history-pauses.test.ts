import { describe, expect, it } from '@jest/globals';
import { type Fault, type History, measurePauses, type Turn } from '@sluice/testkit';

const turn = (node: string, startMs: number, endMs: number, closedByPeer = false): Turn => ({
  ...{ session: 's1', messageId: `m-${startMs}`, turnId: `t-${startMs}`, attempt: 1, fence: 1 },
  ...{ node, startMs, endMs, closedByPeer },
});

const history = (turns: readonly Turn[], fault: Fault, acceptedMs: number): History => ({
  ...{ leaseTtlMs: 3_000, sent: [], views: [], ends: [], forcedCloses: [], cuttings: [] },
  handOvers: [],
  turns,
  faults: [fault],
  acknowledged: turns.map(({ session, messageId }) => ({
    ...{ session, messageId, seq: 1, position: 0, mode: 'enqueue', atMs: acceptedMs },
  })),
});

describe('the pauses of a history', () => {
  const kill: Fault = { kind: 'kill', node: 'a', startMs: 1_000, endMs: 1_010 };
  const drain: Fault = { kind: 'drain', node: 'a', startMs: 1_000, endMs: 4_000 };

  it('begin with the death of a node for the sessions that it executed', () => {
    const turns = [turn('a', 900, 1_005, true), turn('b', 4_200, 4_400)];
    expect(measurePauses(history(turns, kill, 0)).takeovers).toEqual([3_200]);
    const idle = [turn('a', 500, 800), turn('b', 4_200, 4_400)];
    expect(measurePauses(history(idle, kill, 0)).takeovers).toEqual([]);
  });

  it('of takeovers are told apart when something else breaks before they are over', () => {
    const turns = [turn('a', 900, 1_005, true), turn('c', 7_600, 7_900)];
    const measured = (...others: readonly Fault[]) =>
      measurePauses({ ...history(turns, kill, 0), faults: [kill, ...others] });
    const second: Fault = { kind: 'kill', node: 'b', startMs: 4_100, endMs: 4_110 };
    expect(measured(second).takeovers).toEqual([]);
    expect(measured(second).brokenTakeovers).toEqual([
      { session: 's1', ms: 6_600, through: ['kill of b at 3100'] },
    ]);
    expect(measured({ ...second, startMs: 7_700, endMs: 7_710 }).takeovers).toEqual([6_600]);
    expect(measured({ ...second, kind: 'drain' }).takeovers).toEqual([6_600]);
  });

  it('begin with the end of the last turn when a node hands over', () => {
    const turns = [turn('a', 900, 1_200), turn('b', 1_280, 1_500)];
    expect(measurePauses(history(turns, drain, 1_100)).seenHandOvers).toEqual([80]);
    const cut = [turn('a', 900, 4_005, true), turn('b', 4_050, 4_400)];
    expect(measurePauses(history(cut, drain, 0)).seenHandOvers).toEqual([45]);
  });

  it('are none where nothing waited, or the same node went on', () => {
    const later = [turn('a', 900, 1_200), turn('b', 3_280, 3_500)];
    expect(measurePauses(history(later, drain, 3_270)).seenHandOvers).toEqual([]);
    const here = [turn('a', 900, 1_200), turn('a', 1_280, 1_500)];
    expect(measurePauses(history(here, drain, 1_100)).seenHandOvers).toEqual([]);
  });

  it('of hand-overs count while nothing else is broken', () => {
    const handOvers = [{ session: 's1', atMs: 2_000, pauseMs: 70 }];
    const counted = (...faults: readonly Fault[]) =>
      measurePauses({ ...history([], drain, 0), handOvers, faults: [drain, ...faults] }).handOvers;
    expect(counted()).toEqual([70]);
    const during = (startMs: number, endMs: number): Fault => ({ ...kill, startMs, endMs });
    expect(counted(during(1_940, 1_950))).toEqual([]);
    expect(counted(during(1_000, 3_000))).toEqual([]);
    expect(counted(during(2_001, 3_000))).toEqual([70]);
    expect(counted(during(1_000, 1_800))).toEqual([70]);
  });
});
