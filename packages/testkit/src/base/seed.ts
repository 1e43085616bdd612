/**
 * What this run draws by chance it draws from here: a file that is run a second time meets the same again.
 * `SLUICE_TEST_SEED`, an integer, names it (`npm test` draws one for all of its suites).
 */
export const drawnSeed = Number(process.env.SLUICE_TEST_SEED ?? Date.now() % 1_000_000_000);
