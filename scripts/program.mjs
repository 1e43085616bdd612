/**
 * `node scripts/program.mjs`, after `tsc --build`: makes the program that `bin/sluice` runs. Jest calls it before the
 * tests, which run that program: after `tsc --build` alone it would still be the one of the build before.
 */
import { ensureProgram } from './lib/program.mjs';

await ensureProgram();

export { ensureProgram as default };
