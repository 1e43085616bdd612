/**
 * `npm run chaos -- --minutes N --seed N --nodes N --sessions N`: a cluster under load and faults, its
 * history checked. One summary line; status 1 when anything was found. The rig is TypeScript beside the
 * tests: bundled first, so that it runs on every version of Node that the gateway runs on.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBuilt } from './lib/build.mjs';
import { ensureDependencies } from './lib/dependencies.mjs';
import { ensureHaproxy } from './lib/haproxy.mjs';
import { cacheDir, inRoot } from './lib/paths.mjs';
import { endRunning, run } from './lib/processes.mjs';
import { ensureServer } from './lib/redis-server.mjs';
import { SetupError, say } from './lib/say.mjs';

for (const name of ['SIGINT', 'SIGTERM']) process.on(name, endRunning);

async function bundle() {
  mkdirSync(cacheDir, { recursive: true });
  const file = join(cacheDir, 'chaos.mjs');
  const status = await run(inRoot('node_modules', '.bin', 'esbuild'), [
    inRoot('tests', 'chaos', 'main.ts'),
    ...['--bundle', '--packages=external', '--platform=node', '--format=esm', '--target=node20'],
    ...['--log-level=warning', `--outfile=${file}`],
  ]);
  if (status !== 0) throw new SetupError('the rig could not be bundled');
  return file;
}

try {
  await ensureDependencies();
  const server = await ensureServer();
  if (server) process.env.SLUICE_REDIS_SERVER = server;
  if (process.argv.slice(2).join(' ').replace('=', ' ').includes('--balancer haproxy')) {
    const haproxy = await ensureHaproxy('The balancer is HAProxy.');
    if (!haproxy) throw new SetupError('haproxy not found: apt-get install haproxy');
    process.env.SLUICE_HAPROXY = haproxy;
  }
  if (!(await ensureBuilt())) throw new SetupError('the build failed');
  process.exitCode = await run(process.execPath, [await bundle(), ...process.argv.slice(2)]);
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(`npm run chaos: ${error.message}`);
  process.exitCode = error.status;
}
