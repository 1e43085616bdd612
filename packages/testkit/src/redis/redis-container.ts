import { freePort, onDeath } from '../base/children.js';
import { type RedisBackend, redisArguments } from './redis-backend.js';

/** The same major version as the packages of current distributions. */
export const image = process.env.SLUICE_TEST_REDIS_IMAGE ?? 'redis:7.4';

/**
 * A Redis in a container, on a fixed port of the host: a port that the engine chooses would be another one
 * after a restart. Rejects within milliseconds if no engine answers.
 */
export async function startContainer(extra: readonly string[] = []): Promise<RedisBackend> {
  // Loaded only here: without an engine it is not needed.
  const { GenericContainer, getContainerRuntimeClient, Wait } = await import('testcontainers');
  const client = await getContainerRuntimeClient();
  const port = await freePort();
  const started = await new GenericContainer(image)
    .withExposedPorts({ container: 6379, host: port })
    // Connections come from outside of the container: for Redis, from a foreign address.
    .withCommand(['redis-server', '--protected-mode', 'no', ...redisArguments(extra)])
    // Not the strategy for an open port: it uses programs that the image may lack.
    .withWaitStrategy(Wait.forLogMessage(/ready to accept connections/i))
    .withStartupTimeout(20_000)
    .start();
  // The cleaner of testcontainers is another image, which may be missing.
  const lift = onDeath('docker rm -f "$1"', started.getId());
  const container = client.container.dockerode.getContainer(started.getId());
  const running = async () => (await container.inspect()).State.Running;
  const paused = async () => (await container.inspect()).State.Paused;

  return {
    port,
    stop: async (signal) => {
      if (await paused()) await container.unpause();
      if (!(await running())) return;
      await container.kill({ signal });
      await container.wait();
    },
    start: async () => {
      if (!(await running())) await container.start();
    },
    pause: async () => void (await container.pause()),
    resume: async () => {
      if (await paused()) await container.unpause();
    },
    remove: async () => {
      await started.stop({ remove: true, removeVolumes: true, timeout: 0 });
      lift();
    },
  };
}
