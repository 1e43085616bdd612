/**
 * `npm run test:sentinel -- [--minutes N] [FILES]`: the contract suite and integration tests of the rules with their
 * Redis behind three sentinels, the tests of failovers, and a chaos run of failovers. FILES are tests to run instead of
 * the first. One line at the end; status 1 when anything failed.
 */
import { parseArgs } from 'node:util';
import { ensureBuilt } from './lib/build.mjs';
import { ensureDependencies } from './lib/dependencies.mjs';
import { runJest } from './lib/jest.mjs';
import { inRoot } from './lib/paths.mjs';
import { endRunning, run } from './lib/processes.mjs';
import { ensureServer } from './lib/redis-server.mjs';
import { SetupError, say } from './lib/say.mjs';

/** Left out: what is about one server (its clock, memory, address, connections of a test), or about no Redis. */
const suites = [
  'tests/contract',
  'tests/integration/(drain|event-log|http|idle|lease|modes|pause|resume|rings|session-ends|submit|takeover|turns|wait)',
];
/** A run that hangs is ended then. */
const jestMs = 40 * 60_000;
const chaosMs = 4 * 60_000;

for (const name of ['SIGINT', 'SIGTERM']) process.on(name, endRunning);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { minutes: { type: 'string', default: '1.5' } },
});

const runTests = (files, env) => runJest(['--maxWorkers=2', ...files], { env, timeoutMs: jestMs });

async function runChaos(durability) {
  const load = ['--sessions', '20', '--minutes', values.minutes, '--seed', '7'];
  const kind = ['--topology', 'sentinel', '--durability', durability];
  const args = [inRoot('scripts', 'chaos.mjs'), ...kind, ...load];
  return (
    (await run(process.execPath, args, { timeoutMs: chaosMs + values.minutes * 60_000 })) === 0
  );
}

try {
  await ensureDependencies();
  const server = await ensureServer();
  if (!server) throw new SetupError('redis-server not found: sentinels run as processes');
  process.env.SLUICE_REDIS_SERVER = server;
  if (!(await ensureBuilt())) throw new SetupError('the build failed');
  const topology = { SLUICE_TEST_TOPOLOGY: 'sentinel', SLUICE_TEST_CONTAINERS: '0' };
  const rules = await runTests(positionals.length ? positionals : suites, topology);
  const failovers = await runTests(['tests/sentinel'], {});
  const isCalm = (await runChaos('memory')) && (await runChaos('replica'));
  const passed = rules.passed + failovers.passed;
  const failed = rules.failed + failovers.failed;
  const chaos = isCalm ? 'passed' : 'failed';
  process.stdout.write(`sentinel: ${passed} passed, ${failed} failed; chaos ${chaos}\n`);
  process.exitCode = failed === 0 && isCalm ? 0 : 1;
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(`npm run test:sentinel: ${error.message}`);
  process.exitCode = error.status;
}
