/**
 * The seed of everything that this run draws by chance: with the same seed a file meets the same again.
 * `SLUICE_TEST_SEED`, an integer, sets it (`npm test` draws one for all of its suites).
 */
export const drawnSeed = Number(process.env.SLUICE_TEST_SEED ?? Date.now() % 1_000_000_000);
