/**
 * @jest-config-loader esbuild-register
 *
 * Tests run from source (swc) against real servers; gateways they start are the built ones.
 */
import type { Config } from 'jest';

const config: Config = {
  testEnvironment: 'node',
  roots: ['<rootDir>/tests'],
  testMatch: ['**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'es6' } }] },
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  // Two cores: more workers only make the timings of one another worse.
  maxWorkers: 2,
  testTimeout: 30_000,
};

export default config;
