/**
 * `npm test`: sets itself up as `npm start` does, then checks types and format, runs the tests and a short
 * chaos run; with `CI=true` the long suites too. Arguments after `--` go to jest; then the long suites and the
 * chaos run are left out. The last line is `N passed, N failed`: a check that fails counts as a failed test, the
 * chaos run as one test. Uses Node's own modules only: nothing else is there before `npm ci`.
 */
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureBrowser } from './lib/browser.mjs';
import { ensureBuilt } from './lib/build.mjs';
import { ensureCompiler } from './lib/compiler.mjs';
import { findEngine } from './lib/container-redis.mjs';
import { ensureDependencies } from './lib/dependencies.mjs';
import { ensureHaproxy } from './lib/haproxy.mjs';
import { inRoot } from './lib/paths.mjs';
import { endRunning, run } from './lib/processes.mjs';
import { ensurePrometheus } from './lib/prometheus.mjs';
import { ensureServer, waysToRedis } from './lib/redis-server.mjs';
import { SetupError, say } from './lib/say.mjs';

/** Longer than any suite takes: one that hangs is ended then. */
const jestMs = 15 * 60_000;
/**
 * Suites that take half a minute and more, too long for `npm test`. With `CI=true` they follow the quick ones;
 * a suite that mostly waits gets more workers.
 */
const longSuites = [
  { name: 'tests/long', args: [] },
  { name: 'tests/failpoints', args: [], env: { SLUICE_WALK: 'all' } },
  { name: 'tests/redis-faults', args: ['--maxWorkers=4'] },
  { name: 'tests/hostile', args: ['--runInBand'], env: { SLUICE_HOSTILE_SECONDS: '5' } },
];
/** `short.test.ts` of a suite is a short version of it, which belongs to the quick ones. */
const longTests = `/(${longSuites.map(({ name }) => name).join('|')})/(?!short\\.)`;
const tool = (...path) => inRoot('node_modules', ...path);

/** With one seed a file that is run once more draws the same again: packages/testkit/src/base/seed.ts. */
process.env.SLUICE_TEST_SEED ??= String(Date.now() % 1_000_000_000);

for (const name of ['SIGINT', 'SIGTERM']) process.on(name, endRunning);

/** The tests start servers of their own: they need a program or an engine, not a running Redis. */
async function setUp() {
  await ensureDependencies();
  const server = await ensureServer();
  if (server) process.env.SLUICE_REDIS_SERVER = server;
  else if (!findEngine()) throw new SetupError(waysToRedis);
  const browser = await ensureBrowser();
  if (browser) process.env.SLUICE_TEST_BROWSER = browser;
  else say('no Chromium was found, and none could be installed: the chat page is not tested');
  const haproxy = await ensureHaproxy();
  if (haproxy) process.env.SLUICE_HAPROXY = haproxy;
  else say('no HAProxy was found, and none could be installed: its configuration is not tested');
  const compiler = await ensureCompiler();
  if (compiler) process.env.SLUICE_CC = compiler;
  else say('no C compiler was found, and none could be installed: Redis with a wrong clock fails');
  const prometheus = await ensurePrometheus();
  if (prometheus) process.env.SLUICE_PROMETHEUS = prometheus;
  else
    say('no Prometheus was found, and none could be installed: rules and scraping are not tested');
}

async function check(name, command) {
  say(`\n== ${name}`);
  const isGood = await command();
  if (!isGood) say(`${name}: failed`);
  return isGood ? 0 : 1;
}

async function runNode(...args) {
  return (await run(process.execPath, args)) === 0;
}

/** Counts from jest's own results; a file that could not be run is one failed test. */
function readCounts(file, status) {
  let counts = { passed: 0, failed: 0, failedFiles: [] };
  try {
    const results = JSON.parse(readFileSync(file, 'utf8'));
    const bad = results.testResults.filter((result) => result.status === 'failed');
    counts = {
      passed: results.numPassedTests,
      failed: results.numFailedTests + results.numRuntimeErrorTestSuites,
      failedFiles: bad.map(({ name, assertionResults }) => ({
        name,
        passed: assertionResults.filter((it) => it.status === 'passed').length,
      })),
    };
  } catch {
    say('jest wrote no results');
  }
  // Whatever made jest fail counts: no results, no tests, a broken worker.
  if (status !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

async function runJest(args, env = {}) {
  const file = join(tmpdir(), `sluice-test-${process.pid}.json`);
  const options = ['--json', `--outputFile=${file}`, ...args];
  const status = await run(
    process.execPath,
    ['--experimental-vm-modules', '--no-warnings', tool('jest', 'bin', 'jest.js'), ...options],
    { timeoutMs: jestMs, env: { ...process.env, ...env } },
  );
  const counts = readCounts(file, status);
  rmSync(file, { force: true });
  return counts;
}

/** At most this many failed files are run again; with more, the machine is not the cause. */
const repeatsMax = 2;

/**
 * The tests use real processes, perhaps on a busy machine. So a file that failed is run once more, alone, and
 * this is printed. A test that fails twice has failed.
 */
async function runTests(args, env) {
  const first = await runJest(args, env);
  const files = first.failedFiles;
  if (files.length === 0 || files.length > repeatsMax) return first;
  const names = files.map(({ name }) => name);
  say(`\n== once more, alone: ${names.join(' ')}`);
  const second = await runJest(['--runInBand', '--runTestsByPath', ...names], env);
  const passedBefore = files.reduce((sum, { passed }) => sum + passed, 0);
  say(`${names.length} file(s) run twice; ${second.failed} test(s) failed both times`);
  return { passed: first.passed - passedBefore + second.passed, failed: second.failed };
}

/** The chaos run takes 90 s of load and faults, and a minute or two until everything has settled. */
const chaosMs = 5 * 60_000;

/** Runs after the tests, since it needs the machine for itself. It prints its own summary line. */
async function runChaos() {
  // The first 18 faults of this seed include every kind.
  const options = ['--minutes', '1.5', '--seed', '20'];
  const script = inRoot('scripts', 'chaos.mjs');
  return (await run(process.execPath, [script, ...options], { timeoutMs: chaosMs })) === 0;
}

async function test(args) {
  await setUp();
  const tsc = tool('typescript', 'bin', 'tsc');
  const biome = tool('@biomejs', 'biome', 'bin', 'biome');
  let failed = await check('build', ensureBuilt);
  failed += await check('types of the tests', () => runNode(tsc, '-p', inRoot('tests')));
  failed += await check('format and lint', () => runNode(biome, 'check', '.'));
  say('\n== tests');
  const counts = await runTests(args.length > 0 ? args : ['--testPathIgnorePatterns', longTests]);
  if (args.length > 0) return { passed: counts.passed, failed: counts.failed + failed };
  for (const suite of process.env.CI === 'true' ? longSuites : []) {
    say(`\n== ${suite.name}`);
    const { passed, failed } = await runTests([...suite.args, suite.name], suite.env);
    counts.passed += passed;
    counts.failed += failed;
  }
  const chaosFailed = await check('chaos', runChaos);
  const passed = counts.passed + (1 - chaosFailed);
  return { passed, failed: counts.failed + failed + chaosFailed };
}

let result = { passed: 0, failed: 1 };
try {
  result = await test(process.argv.slice(2));
  process.exitCode = result.failed > 0 ? 1 : 0;
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(`npm test: ${error.message}`);
  process.exitCode = error.status;
} finally {
  process.stdout.write(`${result.passed} passed, ${result.failed} failed\n`);
}
