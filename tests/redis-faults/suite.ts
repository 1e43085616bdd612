import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { faults } from './faults.js';
import { tryFault } from './trial.js';
import { World } from './world.js';

/** Longer than it takes to notice the slowest silent connection (6 s). */
const DURATION_MS = 7_000;

/** TTLs of leases: one is three times as long as the fault, one ends during it. */
export const leases = { longer: 20_000, shorter: 3_000 } as const;

/** Tests every fault against `count` nodes whose leases are longer or shorter than the fault. */
export function suite(count: number, lease: keyof typeof leases): void {
  const leaseTtlMs = leases[lease];
  describe(`${count} node(s), leases ${lease} than the fault`, () => {
    let world: World;
    beforeEach(async () => {
      world = await World.open(count, leaseTtlMs);
    }, 30_000);
    afterEach(() => world.stop());

    it.each(faults.map((fault) => [fault.name, fault] as const))(
      'C3 L4 S2 %s: told, waited for, and left behind without a restart',
      async (name, fault) => {
        const found = await tryFault(world, fault, { durationMs: DURATION_MS, leaseTtlMs });
        const red = found.redAtMs === undefined ? 'never' : `after ${Math.round(found.redAtMs)} ms`;
        const summary = `red ${red}, works again after ${Math.round(found.recoveredMs)} ms`;
        const lines = found.log.map((line) => `    ${line}\n`).join('');
        process.stdout.write(`${count} node(s), ${lease} leases, ${name}: ${summary}\n${lines}`);
        expect(found.faults).toEqual([]);
      },
      90_000,
    );
  });
}
