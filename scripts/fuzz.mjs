/**
 * `npm run fuzz -- --runs N --seed N`: runs the scripts beside their model, for longer than in `npm test`. If
 * they differ, it prints the shortest sequence of calls that shows it, with its seed.
 */
import { parseArgs } from 'node:util';
import { inRoot } from './lib/paths.mjs';
import { run } from './lib/processes.mjs';

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '50000' }, seed: { type: 'string' } },
});
process.env.SLUICE_FUZZ_RUNS = values.runs;
if (values.seed) process.env.SLUICE_TEST_SEED = values.seed;
const jest = inRoot('node_modules', 'jest', 'bin', 'jest.js');
const flags = ['--experimental-vm-modules', '--no-warnings'];
process.exitCode = await run(process.execPath, [...flags, jest, 'tests/fuzz/scripts']);
