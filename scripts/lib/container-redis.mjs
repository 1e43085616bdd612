import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { stateDir } from './paths.mjs';
import { output, run, until, which } from './processes.mjs';
import { ask } from './resp.mjs';
import { say } from './say.mjs';

const image = 'redis:7.4';
const name = `sluice-redis-${createHash('sha256').update(stateDir).digest('hex').slice(0, 12)}`;

/** A container engine that answers; undefined when there is none. */
export function findEngine() {
  return ['docker', 'podman'].find((engine) => which(engine) && output(engine, ['info'], 10_000));
}

function publishedPort(engine) {
  const mapping = output(engine, ['port', name, '6379/tcp']);
  return Number(/:(\d+)$/m.exec(mapping ?? '')?.[1] ?? Number.NaN);
}

/** The files in `.sluice/` belong to the caller, not to the user of the image. */
const owner = () => (process.getuid ? ['--user', `${process.getuid()}:${process.getgid()}`] : []);

/** A Redis in a container of our own, its data in `.sluice/`; undefined when that does not work. */
export async function ensureContainerRedis() {
  const engine = findEngine();
  if (!engine) return undefined;
  const data = join(stateDir, 'container');
  mkdirSync(data, { recursive: true });
  if (!Number.isInteger(publishedPort(engine))) {
    say(`starting Redis in a container: ${engine} run ${image}`);
    output(engine, ['rm', '-f', name]);
    const status = await run(engine, [
      ...['run', '-d', '--name', name, '-p', '127.0.0.1::6379', ...owner(), '-v', `${data}:/data`],
      // Only this machine can reach it, but its connections do not come from the container's own loopback.
      ...[image, 'redis-server', '--protected-mode', 'no'],
      ...['--appendonly', 'yes', '--maxmemory-policy', 'noeviction'],
    ]);
    if (status !== 0) return undefined;
  }
  const at = { port: publishedPort(engine), host: '127.0.0.1' };
  const isUp = () =>
    ask(at, ['PING']).then(
      (reply) => reply === '+PONG',
      () => false,
    );
  if (!(await until(isUp, 20_000))) {
    say(`the Redis in the container did not answer; ${engine} logs ${name}:`);
    await run(engine, ['logs', '--tail', '5', name]);
    output(engine, ['rm', '-f', name], 30_000);
    return undefined;
  }
  return {
    url: `redis://127.0.0.1:${at.port}`,
    stop: async () => {
      await ask(at, ['SHUTDOWN', 'SAVE'], 30_000).catch(() => undefined);
      output(engine, ['wait', name], 30_000);
      output(engine, ['rm', '-f', name], 30_000);
    },
  };
}
