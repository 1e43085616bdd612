/**
 * `npm run test:servers -- [--server NAME]... [--no-chaos] [FILES]`: the contract suite, the integration tests of the
 * rules and the short chaos run, on each server that Sluice is said to run on; FILES are tests to run instead.
 * deploy/engine/servers.sh makes the servers. One line for each at the end; status 1 when anything failed.
 */
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ensureBuilt } from './lib/build.mjs';
import { ensureDependencies } from './lib/dependencies.mjs';
import { runJest } from './lib/jest.mjs';
import { inRoot } from './lib/paths.mjs';
import { endRunning, output, run } from './lib/processes.mjs';
import { SetupError, say } from './lib/say.mjs';

/** The tests show that it is refused. */
const tooOld = 'redis-6.0';
const supported = ['redis-7.0', 'redis-8.0', 'valkey-8.1'];
const suites = ['tests/contract', 'tests/integration'];
/** What `CI=true npm test` ends with. */
const chaos = ['--minutes', '1.5', '--seed', '20'];
/** A run that hangs is ended then. */
const jestMs = 40 * 60_000;
const chaosMs = 6 * 60_000;

for (const name of ['SIGINT', 'SIGTERM']) process.on(name, endRunning);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    server: { type: 'string', multiple: true, default: supported },
    'no-chaos': { type: 'boolean', default: false },
  },
});

const programOf = (name) =>
  inRoot('.cache', 'servers', name, 'bin', `${name.replace(/-.*/, '')}-server`);

async function ensureServers(names) {
  if (names.every((name) => existsSync(programOf(name)))) return;
  const status = await run(inRoot('deploy', 'engine', 'servers.sh'), ['.cache/servers', ...names]);
  if (status !== 0) throw new SetupError('the servers are missing: docs/operate/engine.md', status);
}

/** `Valkey 8.1.1` */
function nameOf(server) {
  const said = output(server, ['--version']) ?? '';
  return said.replace(/^(\w+) server v=(\S+).*$/, '$1 $2');
}

/** For the jest and the rig of one server: no container, and no answer of an earlier run. */
const envOf = (server) => ({
  ...process.env,
  SLUICE_REDIS_SERVER: server,
  SLUICE_TEST_CONTAINERS: '0',
  SLUICE_TEST_RUN: `${process.pid}-${server.split('/').at(-3)}`,
});

async function runChaos(server) {
  const args = [inRoot('scripts', 'chaos.mjs'), ...chaos];
  return (await run(process.execPath, args, { timeoutMs: chaosMs, env: envOf(server) })) === 0;
}

/** One server: its summary line, and whether all of it passed. */
async function testOn(name) {
  const server = programOf(name);
  const called = nameOf(server);
  say(`\n== ${called}`);
  const { passed, failed } = await runJest(positionals.length ? positionals : suites, {
    env: envOf(server),
    timeoutMs: jestMs,
  });
  const isCalm = values['no-chaos'] || (await runChaos(server));
  const ended = values['no-chaos'] ? 'left out' : isCalm ? 'passed' : 'failed';
  return {
    isGood: failed === 0 && isCalm,
    line: `${called.padEnd(14)} ${passed} passed, ${failed} failed; chaos ${ended}`,
  };
}

try {
  await ensureDependencies();
  if (!(await ensureBuilt())) throw new SetupError('the build failed');
  await ensureServers([...values.server, tooOld]);
  const results = [];
  for (const name of values.server) results.push(await testOn(name));
  for (const { line } of results) process.stdout.write(`${line}\n`);
  process.exitCode = results.every(({ isGood }) => isGood) ? 0 : 1;
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(`npm run test:servers: ${error.message}`);
  process.exitCode = error.status;
}
