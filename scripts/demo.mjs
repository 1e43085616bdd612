/**
 * `npm run demo`: three nodes behind a balancer and one conversation with streaming. One node is killed,
 * a connection is cut, another node is told to stop; then the whole history is checked. Ends by itself
 * in under a minute; status 1 when anything was lost, doubled or reordered. Sets itself up as `npm start`
 * does, with a Redis in a temporary folder. The demo is TypeScript beside the tests.
 */
import { constants } from 'node:os';
import { ensureBuilt } from './lib/build.mjs';
import { bundle } from './lib/bundle.mjs';
import { findEngine } from './lib/container-redis.mjs';
import { ensureDependencies } from './lib/dependencies.mjs';
import { endRunning, run } from './lib/processes.mjs';
import { ensureServer, waysToRedis } from './lib/redis-server.mjs';
import { SetupError, say } from './lib/say.mjs';

let interruptedBy;
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(name, () => {
    interruptedBy ??= name;
    endRunning();
  });
}

async function demo() {
  await ensureDependencies();
  const server = await ensureServer();
  if (server) process.env.SLUICE_REDIS_SERVER = server;
  else if (!findEngine()) throw new SetupError(waysToRedis);
  if (!(await ensureBuilt())) throw new SetupError('the build failed', 1);
  const file = await bundle('tests/demo');
  return interruptedBy ? 1 : run(process.execPath, [file]);
}

try {
  process.exitCode = await demo();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  if (!interruptedBy) say(`npm run demo: ${error.message}`);
  process.exitCode = error.status;
}
if (interruptedBy) process.exitCode = 128 + constants.signals[interruptedBy];
