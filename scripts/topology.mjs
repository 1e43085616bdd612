/**
 * `npm run test:quorum`: the suites of the rules on a topology other than one Redis. Each suite is a run of jest or of
 * chaos; the last lines say what each found. Status 1 when any failed. `-- --quick`: a cut of it.
 */
import { performance } from 'node:perf_hooks';
import { ensureBuilt } from './lib/build.mjs';
import { ensureCompiler } from './lib/compiler.mjs';
import { ensureDependencies } from './lib/dependencies.mjs';
import { runJest } from './lib/jest.mjs';
import { inRoot } from './lib/paths.mjs';
import { endRunning, run } from './lib/processes.mjs';
import { ensureServer } from './lib/redis-server.mjs';
import { SetupError, say } from './lib/say.mjs';

const jestMs = 20 * 60_000;
const rules =
  '/tests/integration/(takeover|drain-|turns-(order|retry|survive|abort|fair)|submit-|event-log-|dead-letters|stops|' +
  'resume-|session-end|pause-|lease-renewal|modes-waiting|http-messages|fence-running|failpoints)';
const chaos = (minutes) => ['--minutes', minutes, '--quorum', '3'];

/** What is run on each topology; `quick` is the cut. */
const topologies = {
  quorum: {
    suites: [
      { name: 'contract suite', jest: ['tests/contract/protocol'] },
      { name: 'integration tests of the rules', jest: ['--maxWorkers=2', rules] },
      { name: 'faults of three members', jest: ['tests/quorum/three'] },
      { name: 'faults of five members', jest: ['tests/quorum/five'] },
      { name: 'chaos', chaos: chaos('1.5') },
    ],
    quick: ['contract suite', 'faults of three members'],
  },
};

for (const name of ['SIGINT', 'SIGTERM']) process.on(name, endRunning);

async function play({ jest, chaos: options }, topology) {
  if (options) return run(process.execPath, [inRoot('scripts', 'chaos.mjs'), ...options]);
  const env = { SLUICE_TEST_TOPOLOGY: topology };
  const { passed, failed } = await runJest(jest, { env, timeoutMs: jestMs });
  return failed === 0 && passed > 0 ? 0 : 1;
}

try {
  const [name = '', ...options] = process.argv.slice(2);
  const topology = topologies[name];
  if (!topology) throw new SetupError(`one of: ${Object.keys(topologies).join(', ')}`);
  const isQuick = options.includes('--quick');
  await ensureDependencies();
  const server = await ensureServer();
  if (server) process.env.SLUICE_REDIS_SERVER = server;
  const compiler = await ensureCompiler();
  if (compiler) process.env.SLUICE_CC = compiler;
  if (!(await ensureBuilt())) throw new SetupError('the build failed');
  const lines = [];
  for (const suite of topology.suites) {
    if (isQuick && !topology.quick.includes(suite.name)) continue;
    const startedMs = performance.now();
    const status = await play(suite, name);
    const seconds = Math.round((performance.now() - startedMs) / 1_000);
    lines.push(
      `${status === 0 ? 'passed' : 'FAILED'} ${String(seconds).padStart(5)} s  ${suite.name}`,
    );
  }
  const failed = lines.filter((line) => line.startsWith('FAILED')).length;
  process.stdout.write(
    `${lines.join('\n')}\n${name}: ${lines.length - failed} passed, ${failed} failed\n`,
  );
  process.exitCode = failed > 0 ? 1 : 0;
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(`npm run test:quorum: ${error.message}`);
  process.exitCode = error.status;
}
