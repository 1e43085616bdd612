import { Redis, type RedisOptions } from 'ioredis';
import { stopLater } from '../base/cleanup.js';
import { eventually } from '../base/eventually.js';
import type { RedisBackend } from './redis-backend.js';
import { startContainer } from './redis-container.js';
import { chooseEngine, installedServer, type RedisEngine } from './redis-engine.js';
import { startOnMachine } from './redis-machine.js';
import type { StartRedisOptions, TestRedis } from './test-redis.js';

/** Every connection has an error listener: many tests cut connections, which must not end the process. */
function connect(port: number, options: RedisOptions): Redis {
  const client = new Redis({
    host: '127.0.0.1',
    port,
    maxRetriesPerRequest: null,
    // ioredis leaves a timer of this length when a connection that was cut is closed.
    disconnectTimeout: 100,
    ...options,
  });
  client.on('error', () => undefined);
  return client;
}

async function answering(backend: RedisBackend): Promise<void> {
  await backend.start();
  const probe = connect(backend.port, { maxRetriesPerRequest: 0, retryStrategy: () => 20 });
  try {
    await eventually(async () => (await probe.ping()) === 'PONG', 15_000);
  } finally {
    probe.disconnect();
  }
}

/** Starts a Redis with AOF (`appendfsync always`), empty, on a port of its own. */
export async function startOneRedis(options: StartRedisOptions = {}): Promise<TestRedis> {
  const server = options.server ?? (options.movableClock ? installedServer() : undefined);
  const engine: RedisEngine = server ? { kind: 'machine', server } : await chooseEngine();
  const backend =
    engine.kind === 'machine'
      ? await startOnMachine(engine.server, options)
      : { ...(await startContainer(options.args)), clock: undefined };
  const clients: Redis[] = [];

  const stop = async () => {
    forget();
    for (const client of clients.splice(0)) client.disconnect();
    await backend.remove();
  };
  const forget = stopLater(stop);
  await answering(backend);

  return {
    url: `redis://127.0.0.1:${backend.port}`,
    port: backend.port,
    client: (clientOptions = {}) => {
      const client = connect(backend.port, clientOptions);
      clients.push(client);
      return client;
    },
    restart: async () => {
      await backend.stop('SIGTERM');
      await answering(backend);
    },
    shutdown: () => backend.stop('SIGTERM'),
    kill: () => backend.stop('SIGKILL'),
    start: () => answering(backend),
    pause: () => backend.pause(),
    resume: () => backend.resume(),
    moveClock: (offsetMs) => {
      if (!backend.clock) throw new Error('start this Redis with movableClock: true');
      backend.clock.set(offsetMs);
    },
    stop,
  };
}
