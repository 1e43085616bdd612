import { Redis, type RedisOptions } from 'ioredis';
import { stopLater } from '../base/cleanup.js';
import { eventually } from '../base/eventually.js';
import type { RedisBackend } from './redis-backend.js';
import { startContainer } from './redis-container.js';
import { chooseEngine, installedServer, type RedisEngine } from './redis-engine.js';
import { startOnMachine } from './redis-machine.js';

export type StartRedisOptions = {
  /** More arguments for redis-server; a later one wins over ours. */
  readonly args?: readonly string[];
  /** Use this program of the machine and print nothing; default: the engine that was chosen for the whole run. */
  readonly server?: string;
  /** Runs on this machine, never in a container, so that `moveClock` works. Needs `canMoveClocks()`. */
  readonly movableClock?: boolean;
};

/** A real Redis for one test file. */
export type TestRedis = {
  readonly url: string;
  readonly port: number;
  /** A new connection; `stop` closes it. */
  client(options?: RedisOptions): Redis;
  /** SIGTERM, then a new process on the same port and data. */
  restart(): Promise<void>;
  /** SIGTERM and no new process, until `start`. */
  shutdown(): Promise<void>;
  /** SIGKILL and no new process, until `start`. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers, until `resume`. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /**
   * Sets the clock of this Redis to the machine's plus `offsetMs` (-90_000: 90 s behind), while it runs or
   * between `shutdown` and `start`; restarts keep the offset. The monotonic clock stays right, as on a machine
   * whose time is set. It takes effect at once in TIME, in the clock of scripts and in every expiry.
   * Throws without `movableClock`.
   */
  moveClock(offsetMs: number): void;
  stop(): Promise<void>;
};

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
