/**
 * `npm run bench -- <command>`: measures what turns, tokens, connections and takeovers cost, beside the floor
 * and a peer (bench/README.md). The programs are TypeScript and are bundled first, as for the chaos run.
 * `BIN=<checkout>` measures another built checkout beside this one.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBuilt } from './lib/build.mjs';
import { bundle } from './lib/bundle.mjs';
import { ensureDependencies } from './lib/dependencies.mjs';
import { inRoot } from './lib/paths.mjs';
import { endRunning, run } from './lib/processes.mjs';
import { ensureServer, waysToRedis } from './lib/redis-server.mjs';
import { SetupError, say } from './lib/say.mjs';

/** `main` comes first; it starts the others, which are processes and agents. */
const entries = ['main', 'floor/main', 'peer/main', 'load/talk', 'agents/echo', 'agents/tokens'];

for (const name of ['SIGINT', 'SIGTERM']) process.on(name, endRunning);

try {
  await ensureDependencies();
  const other = process.env.BIN;
  if (other && !existsSync(join(other, 'bin', 'sluice'))) {
    throw new SetupError(`BIN=${other}: no checkout with bin/sluice`, 2);
  }
  const server = await ensureServer();
  // No container: inside it the process has another number, so its processor time could not be read.
  if (!server) throw new SetupError(waysToRedis);
  process.env.SLUICE_REDIS_SERVER = server;
  if (process.env.PROFILES) process.env.PROFILER = `--import ${inRoot('scripts', 'profile.mjs')}`;
  if (!(await ensureBuilt())) throw new SetupError('the build failed');
  const file = await bundle('bench', entries);
  process.exitCode = await run(process.execPath, [file, ...process.argv.slice(2)]);
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(`npm run bench: ${error.message}`);
  process.exitCode = error.status;
}
