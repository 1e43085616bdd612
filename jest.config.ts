/**
 * @jest-config-loader esbuild-register
 *
 * Tests run against the built packages, real servers and the built gateway: `npm run build` first.
 */
import type { Config } from 'jest';

// Names this run for its workers, which inherit it: what is decided once per run is kept under it.
process.env.SLUICE_TEST_RUN ??= `${process.pid}-${Date.now()}`;
process.env.SLUICE_TEST_SEED ??= String(Date.now() % 1_000_000_000);

const config: Config = {
  testEnvironment: 'node',
  globalSetup: '<rootDir>/scripts/program.mjs',
  roots: ['<rootDir>/tests'],
  testMatch: ['**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'es6' } },
    ],
  },
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  // Two cores: more workers only make the timings of one another worse.
  maxWorkers: 2,
  // A file's modules are never given back: with all of them loaded a worker is slow with collecting garbage.
  workerIdleMemoryLimit: '700MB',
  testTimeout: 30_000,
};

export default config;
