/**
 * `npm start`: installs and builds what is missing, starts a private Redis if none is configured, runs one
 * gateway until it ends, stops that Redis and ends with the gateway's status. Arguments after `--` go to
 * `sluice start`. Uses Node's own modules only: nothing else is there before `npm ci`.
 */
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { ensureBuilt } from './lib/build.mjs';
import { ensureContainerRedis } from './lib/container-redis.mjs';
import { ensureDependencies } from './lib/dependencies.mjs';
import { announce, isTaken, startGateway } from './lib/gateway.mjs';
import { inRoot } from './lib/paths.mjs';
import { ensurePrivateRedis, stopPrivateRedis } from './lib/private-redis.mjs';
import { endRunning } from './lib/processes.mjs';
import { ensureServer, waysToRedis } from './lib/redis-server.mjs';
import { SetupError, say } from './lib/say.mjs';
import { readSettings } from './lib/settings.mjs';
import { register, stopOrphans, unregister } from './lib/users.mjs';

let gateway;
let interruptedBy;
let interruptedAt = 0;

for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(name, () => {
    const isSecond = interruptedBy !== undefined && performance.now() - interruptedAt >= 250;
    if (isSecond && !gateway) process.exit(128 + constants.signals[name]);
    interruptedBy ??= name;
    interruptedAt = performance.now();
    // A closed terminal means to stop, and the gateway knows SIGTERM and SIGINT for that.
    if (gateway) gateway.signal(name === 'SIGHUP' ? 'SIGTERM' : name);
    else endRunning();
  });
}
process.stdout.on('error', () => undefined);

/** The Redis for the gateway: environment variables that name it, and how to stop it. */
async function ensureRedis({ hasRedis }) {
  if (hasRedis) return { env: {}, stop: async () => undefined };
  await stopOrphans();
  register();
  const own = await ensurePrivateRedis(ensureServer);
  if (own) {
    return {
      // If its socket is at its own place, the gateway finds it as every `bin/sluice` does.
      env: own.isFound ? {} : { REDIS_URL: own.url },
      stop: async () => {
        if (unregister()) await stopPrivateRedis();
      },
    };
  }
  const container = await ensureContainerRedis();
  if (!container) {
    unregister();
    throw new SetupError(waysToRedis);
  }
  return {
    env: { REDIS_URL: container.url },
    stop: async () => {
      if (unregister()) await container.stop();
    },
  };
}

async function runGateway(args, settings, env) {
  const url = settings.url && !(await isTaken(settings.url)) ? settings.url : undefined;
  if (interruptedBy) return 128 + constants.signals[interruptedBy];
  gateway = startGateway(args, env);
  if (!settings.hasRedis) register(gateway.pid);
  if (url) announce(url, gateway);
  return gateway.exited;
}

async function start(args) {
  await ensureDependencies();
  const built = !interruptedBy && (await ensureBuilt());
  if (!built && !interruptedBy) throw new SetupError('the build failed', 1);
  if (interruptedBy) return 128 + constants.signals[interruptedBy];
  if (!existsSync(inRoot('bin', 'sluice'))) throw new SetupError('bin/sluice is missing', 1);
  const settings = await readSettings(args, process.env);
  const redis = await ensureRedis(settings);
  try {
    return await runGateway(args, settings, redis.env);
  } finally {
    await redis.stop();
  }
}

try {
  process.exitCode = await start(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(`npm start: ${error.message}`);
  process.exitCode = interruptedBy ? 128 + constants.signals[interruptedBy] : error.status;
}
process.exit();
