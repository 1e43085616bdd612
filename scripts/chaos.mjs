/**
 * `npm run chaos -- --minutes N --seed N --nodes N --sessions N`: runs a cluster under load and faults, and
 * checks its history. One summary line; status 1 when anything was found. The rig is TypeScript beside the
 * tests; it is bundled first, so that it runs on every version of Node that the gateway runs on.
 */
import { ensureBuilt } from './lib/build.mjs';
import { bundle } from './lib/bundle.mjs';
import { ensureDependencies } from './lib/dependencies.mjs';
import { ensureHaproxy } from './lib/haproxy.mjs';
import { endRunning, run } from './lib/processes.mjs';
import { ensureServer } from './lib/redis-server.mjs';
import { SetupError, say } from './lib/say.mjs';

for (const name of ['SIGINT', 'SIGTERM']) process.on(name, endRunning);

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
  process.exitCode = await run(process.execPath, [
    await bundle('tests/chaos'),
    ...process.argv.slice(2),
  ]);
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(`npm run chaos: ${error.message}`);
  process.exitCode = error.status;
}
