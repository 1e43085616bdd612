import { execFileSync } from 'node:child_process';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { within } from '@sluice/runtime';
import { startContainer } from './redis-container.js';

/** Where the Redis of a test file comes from. */
export type RedisEngine =
  | { readonly kind: 'container' }
  | { readonly kind: 'machine'; server: string };

/** Pulling the image may take as long as this, once per run. */
const pullMs = 20_000;

function installedServer(): string {
  const candidates = [process.env.SLUICE_REDIS_SERVER, 'redis-server', 'valkey-server'];
  for (const server of candidates) {
    if (!server) continue;
    try {
      execFileSync(server, ['--version'], { stdio: 'ignore', timeout: 5_000 });
      return server;
    } catch {
      // Not installed under this name.
    }
  }
  throw new Error(
    'no Redis for the tests: start a container engine, or install redis-server (7.0 or newer)',
  );
}

async function containersWork(): Promise<boolean> {
  if (process.env.SLUICE_TEST_CONTAINERS === '0') return false;
  const starting = startContainer();
  const started = await within(
    starting.catch(() => undefined),
    pullMs,
  );
  // One that comes after all is not left behind.
  if (!started) starting.then((late) => late.remove()).catch(() => undefined);
  await started?.remove();
  return started !== undefined;
}

const cacheFile = () =>
  join(tmpdir(), `sluice-test-engine-${process.env.SLUICE_TEST_RUN ?? process.ppid}`);

function decided(): RedisEngine | undefined {
  try {
    const server = readFileSync(cacheFile(), 'utf8');
    return server === '' ? { kind: 'container' } : { kind: 'machine', server };
  } catch {
    return undefined;
  }
}

/** Decided once per run: the first file asks the engine, the others read the answer. */
export async function chooseEngine(): Promise<RedisEngine> {
  const known = decided();
  if (known) return known;
  const engine: RedisEngine = (await containersWork())
    ? { kind: 'container' }
    : { kind: 'machine', server: installedServer() };
  const draft = `${cacheFile()}.${process.pid}`;
  writeFileSync(draft, engine.kind === 'container' ? '' : engine.server);
  renameSync(draft, cacheFile());
  return engine;
}
