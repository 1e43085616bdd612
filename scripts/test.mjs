/**
 * `npm test`: sets itself up as `npm start` does, then checks types and format, and runs the unit and the
 * integration tests; with `CI=true` the long suites and a short chaos run too. Arguments after `--` go to jest;
 * then the long suites and the chaos run are left out. The last line is `N passed, N failed`: a check that fails
 * counts as a failed test, the chaos run as one test. Uses Node's own modules only: nothing else is there before
 * `npm ci`.
 */
import { existsSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { ensureBrowser } from './lib/browser.mjs';
import { ensureBuilt } from './lib/build.mjs';
import { ensureChartRenderer } from './lib/chart-renderer.mjs';
import { ensureCompiler } from './lib/compiler.mjs';
import { findEngine } from './lib/container-redis.mjs';
import { ensureDependencies } from './lib/dependencies.mjs';
import { ensureHaproxy } from './lib/haproxy.mjs';
import { runJest } from './lib/jest.mjs';
import { inRoot, root } from './lib/paths.mjs';
import { endRunning, run } from './lib/processes.mjs';
import { ensurePrometheus } from './lib/prometheus.mjs';
import { ensureServer, waysToRedis } from './lib/redis-server.mjs';
import { SetupError, say } from './lib/say.mjs';
import { joinRuns, judgeFailedOnce, parseKnown } from './lib/test-results.mjs';

/** Longer than any suite takes: one that hangs is ended then. */
const jestMs = 20 * 60_000;
const longFolders = ['long', 'failpoints', 'redis-faults', 'sentinel', 'hostile', 'quorum'];
/**
 * The unit tests come first, since they are quick to find a fault. Integration tests wait more than they compute, so
 * two cores serve three of them.
 */
const quickSuites = [
  { name: 'unit tests', args: ['--passWithNoTests', '/tests/(unit/|tidy)'] },
  {
    name: 'integration tests',
    args: [
      '--maxWorkers=3',
      ...['--testPathIgnorePatterns', `/tests/(unit/|tidy|(${longFolders.join('|')})/)`],
    ],
  },
];
/**
 * Suites that take half a minute and more, too long for `npm test`. With `CI=true` they follow the quick ones;
 * a suite that mostly waits gets more workers.
 */
const longSuites = [
  { name: 'tests/long', args: ['tests/long'] },
  { name: 'tests/failpoints', args: ['tests/failpoints'], env: { SLUICE_WALK: 'all' } },
  { name: 'tests/redis-faults', args: ['--maxWorkers=4', 'tests/redis-faults'] },
  { name: 'tests/quorum, three members', args: ['tests/quorum/three'] },
  {
    name: 'the contract suite on a quorum',
    args: ['tests/contract/protocol'],
    env: { SLUICE_TEST_TOPOLOGY: 'quorum' },
  },
  { name: 'tests/sentinel', args: ['--runInBand', 'tests/sentinel'] },
  {
    name: 'tests/hostile',
    args: ['--runInBand', 'tests/hostile'],
    env: { SLUICE_HOSTILE_SECONDS: '5' },
  },
];
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
  if (!(await ensureChartRenderer()))
    say('neither helm nor Go with Sprig was found: the Helm chart is not rendered');
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

/** At most this many failed files are run again; with more, the machine is not the cause. */
const repeatsMax = 2;

/** The files that failed and passed when they were run again, of all suites. */
const failedOnce = [];

/**
 * The tests use real processes, perhaps on a busy machine. So a file that failed is run once more, alone. A test
 * that fails twice has failed. A file that passes then is named at the end.
 */
async function runTests(args, env) {
  const first = await runJest(args, { env, timeoutMs: jestMs });
  const names = first.files.filter(({ isFailed }) => isFailed).map(({ name }) => name);
  if (names.length === 0 || names.length > repeatsMax) return first;
  say(`\n== once more, alone: ${names.join(' ')}`);
  const counts = joinRuns(
    first,
    await runJest(['--runInBand', '--runTestsByPath', ...names], { env, timeoutMs: jestMs }),
  );
  failedOnce.push(...counts.failedOnce.map((name) => relative(root, name)));
  return counts;
}

/** The files that may fail once, each with a reason and the last day on which it holds. */
const knownFile = 'tests/known-flaky.json';
const isStrict = process.env.CI === 'true';

function readKnown() {
  const file = inRoot(knownFile);
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '[]';
  return parseKnown(text, new Date().toISOString().slice(0, 10));
}

/** A file that failed by chance and one with a fault look alike: somebody must look at it. */
function tellFailedOnce(known) {
  const { lines, failed } = judgeFailedOnce(failedOnce, known, isStrict);
  if (lines.length === 0) return 0;
  say('\n== failed once, and passed when run again alone');
  for (const line of lines) say(line);
  const when = isStrict ? '' : ', with CI=true';
  say(`a file that ${knownFile} does not list fails the run${when}`);
  return failed;
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

function suitesFor(args) {
  if (args.length > 0) return [{ name: 'tests', args }];
  return isStrict ? [...quickSuites, ...longSuites] : quickSuites;
}

async function test(args) {
  await setUp();
  const tsc = tool('typescript', 'bin', 'tsc');
  const biome = tool('@biomejs', 'biome', 'bin', 'biome');
  let failed = await check('build', ensureBuilt);
  failed += await check('types of the tests', () => runNode(tsc, '-p', inRoot('tests')));
  failed += await check('format and lint', () => runNode(biome, 'check', '.'));
  const { known, faults } = readKnown();
  failed += await check('files that may fail once', () => {
    for (const fault of faults) say(`${knownFile}: ${fault}`);
    return faults.length === 0;
  });
  let passed = 0;
  for (const suite of suitesFor(args)) {
    say(`\n== ${suite.name}`);
    const counts = await runTests(suite.args, suite.env);
    passed += counts.passed;
    failed += counts.failed;
  }
  if (isStrict && args.length === 0) {
    const chaosFailed = await check('chaos', runChaos);
    passed += 1 - chaosFailed;
    failed += chaosFailed;
  }
  return { passed, failed: failed + tellFailedOnce(known) };
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
