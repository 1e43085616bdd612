import { beforeAll, describe, it } from '@jest/globals';
import { drawnSeed } from '@sluice/testkit';
import fc from 'fast-check';
import * as scripts from '../../packages/store/dist/script/scripts.js';
import type { RealOptions } from './real-session.js';
import { modelHolds, openFuzz } from './scripts-property.js';

/** `npm run fuzz -- --runs N --seed N` sets another number. */
const RUNS = Number(process.env.SLUICE_FUZZ_RUNS ?? 200);
/** Seeds that have found something. */
const pinned = [20_260_731, 7];
const PINNED_RUNS = 100;

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
});
