import { beforeAll, describe, expect, it } from '@jest/globals';
import { drawnSeed } from '@sluice/testkit';
import fc from 'fast-check';
import * as scripts from '../../packages/store/dist/script/scripts.js';
import type { RealOptions } from './real-session.js';
import { mutate, mutations } from './script-mutations.js';
import { modelHolds, openFuzz } from './scripts-property.js';

/** `npm run fuzz -- --runs N --seed N` sets another number. */
const RUNS = Number(process.env.SLUICE_FUZZ_RUNS ?? 200);
/** Seeds that have found something. */
const pinned = [20_260_731, 7];
const PINNED_RUNS = 100;
const MUTATION_RUNS = 3_000;
/** `npm test` has time for every fifth one only; `npm run mutations` seeds them all. */
const isAll = process.env.SLUICE_MUTATIONS === 'all';
const seeded = mutations.filter((_, at) => isAll || at % 5 === 0);

describe('the scripts and their model', () => {
  let fuzz: Omit<RealOptions, 'scripts'>;
  beforeAll(async () => {
    fuzz = await openFuzz();
  });

  it.each([...pinned.map((seed) => [seed, PINNED_RUNS] as const), [drawnSeed, RUNS] as const])(
    'S2 S3 S4 L3 T1 T2 T3 T7 E1 C2 C4 P1 agree on any sequence of calls: seed %d, %d runs',
    async (seed, numRuns) => {
      process.stderr.write(`fuzz scripts: seed ${seed}, ${numRuns} runs\n`);
      await fc.assert(modelHolds(fuzz, scripts), { seed, numRuns });
    },
    Math.max(20 * 60_000, RUNS * 200),
  );

  it.each(seeded)(
    'part when a script is wrong: $name',
    async (mutation) => {
      const wrong = mutate(scripts, mutation);
      const numRuns = MUTATION_RUNS;
      const result = await fc.check(modelHolds(fuzz, wrong), {
        seed: 1,
        numRuns,
        endOnFailure: true,
      });
      expect(result.failed).toBe(true);
    },
    60_000,
  );
});
