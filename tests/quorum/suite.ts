import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { canMoveClocks } from '@sluice/testkit';
import { quorumFaults } from './faults.js';
import { type Counted, QuorumWorld, TTL_MS } from './world.js';

/** Longer than the lease, so that a lease that is not renewed ends during the fault. */
const FAULT_MS = 2 * TTL_MS + 500;

/** Plays every fault against a quorum of `count`, and prints a table of what happened. */
export function suite(count: 3 | 5): void {
  describe(`a quorum of ${count}`, () => {
    let world: QuorumWorld;
    const rows: string[] = [];
    beforeAll(async () => {
      world = await QuorumWorld.open(count, canMoveClocks());
    }, 60_000);
    afterAll(async () => {
      process.stdout.write(`${[header(count), ...rows].join('\n')}\n`);
      await world.stop();
    }, 30_000);

    const playable = quorumFaults.filter(({ needsClock }) => !needsClock || canMoveClocks());
    it.each(playable.map((fault) => [fault.effect, fault.name, fault] as const))(
      'L1 L3 L4 L5 S2 T1 T3 %s: %s',
      async (effect, name, fault) => {
        const seen = await world.play(name, FAULT_MS, () => fault.begin(world));
        rows.push(row(name, seen));
        expect(seen.verdict.findings).toEqual([]);
        expect(seen.faults).toEqual([]);
        expect(seen.mostAttempts).toBe(1);
        if (effect === 'on') {
          expect(seen).toMatchObject({ leasesLost: 0, cut: 0, fenced: 0, red: [200] });
          expect(seen.longAttempts).toEqual([1]);
          expect(seen.answersDuring).toBeGreaterThan(20);
        } else if (effect === 'stops') {
          expect(seen.begunLate).toBe(0);
          expect(seen.red).toEqual([503]);
          expect(seen.longAttempts).toEqual([1, 1]);
        } else {
          expect(seen.answersDuring).toBeGreaterThan(0);
          expect(seen.red).toEqual([200, 503]);
        }
      },
      90_000,
    );
  });
}

const header = (count: number) =>
  `| fault, ${count} members, TTL ${TTL_MS / 1_000} s, for ${FAULT_MS / 1_000} s | leases lost | turns cut, begun again | rings that came back | answers meanwhile | writes refused | lost, doubled, reordered, overlapping | goes on after |\n| --- | --- | --- | --- | --- | --- | --- | --- |`;

function row(name: string, seen: Counted): string {
  const { lost, doubled, reordered, overlaps } = seen.verdict.totals;
  const cells = [
    name,
    seen.leasesLost,
    seen.cut,
    seen.ringsBack,
    seen.answersDuring,
    seen.fenced,
    `${lost}, ${doubled}, ${reordered}, ${overlaps} of ${seen.verdict.totals.messages}`,
    `${Math.round(seen.backMs)} ms`,
  ];
  return `| ${cells.join(' | ')} |`;
}
