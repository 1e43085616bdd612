import { beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import * as scripts from '../../packages/store/dist/script/scripts.js';
import type { RealOptions } from '../fuzz/real-session.js';
import { mutate, mutations } from '../fuzz/script-mutations.js';
import { modelHolds, openFuzz } from '../fuzz/scripts-property.js';

const RUNS = 3_000;
/** `CI=true npm test` has time for every fifth one only; `npm run mutations` seeds them all. */
const isAll = process.env.SLUICE_MUTATIONS === 'all';
const seeded = mutations.filter((_, at) => isAll || at % 5 === 0);

describe('the scripts and their model', () => {
  let fuzz: Omit<RealOptions, 'scripts'>;
  beforeAll(async () => {
    fuzz = await openFuzz();
  });

  it.each(seeded)(
    'part when a script is wrong: $name',
    async (mutation) => {
      const wrong = mutate(scripts, mutation);
      const result = await fc.check(modelHolds(fuzz, wrong), {
        seed: 1,
        numRuns: RUNS,
        endOnFailure: true,
      });
      expect(result.failed).toBe(true);
    },
    60_000,
  );
});
