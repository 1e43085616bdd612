import { execFileSync } from 'node:child_process';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { within } from '@sluice/runtime';
import { startContainer } from './redis-container.js';

/** Where the Redis of a test file comes from; a bare container runs without the cleaner of testcontainers. */
export type RedisEngine =
  | { readonly kind: 'container' | 'bare-container' }
  | { readonly kind: 'machine'; readonly server: string };

/** Pulling the image may take as long as this, once per run. */
const pullMs = 20_000;

/** A redis-server of this machine, as a command. Throws if there is none. */
export function installedServer(): string {
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

/** Starts a container and removes it; returns false when that fails or takes longer than `ms`. */
async function containerStarts(ms: number): Promise<boolean> {
  const starting = startContainer();
  const started = await within(
    starting.catch(() => undefined),
    ms,
  );
  // A container that starts too late is removed as well.
  if (!started) starting.then((late) => late.remove()).catch(() => undefined);
  await started?.remove();
  return started !== undefined;
}

/** testcontainers starts a cleaner beside the container: another image, which may not be available. */
function leaveCleanerOut(): void {
  process.env.TESTCONTAINERS_RYUK_DISABLED = 'true';
}

async function findContainers(): Promise<RedisEngine | undefined> {
  if (process.env.SLUICE_TEST_CONTAINERS === '0') return undefined;
  const deadline = performance.now() + pullMs;
  if (await containerStarts(pullMs)) return { kind: 'container' };
  leaveCleanerOut();
  const leftMs = deadline - performance.now();
  return leftMs > 0 && (await containerStarts(leftMs)) ? { kind: 'bare-container' } : undefined;
}

const cacheFile = () =>
  join(tmpdir(), `sluice-test-engine-${process.env.SLUICE_TEST_RUN ?? process.ppid}`);

function decided(): RedisEngine | undefined {
  try {
    const kept = readFileSync(cacheFile(), 'utf8');
    if (kept === 'bare-container') leaveCleanerOut();
    if (kept === 'container' || kept === 'bare-container') return { kind: kept };
    return { kind: 'machine', server: kept };
  } catch {
    return undefined;
  }
}

/** Decided once per run: the first file asks the engine, the others read the answer. */
export async function chooseEngine(): Promise<RedisEngine> {
  const known = decided();
  if (known) return known;
  const engine = (await findContainers()) ?? { kind: 'machine', server: installedServer() };
  const draft = `${cacheFile()}.${process.pid}`;
  writeFileSync(draft, engine.kind === 'machine' ? engine.server : engine.kind);
  renameSync(draft, cacheFile());
  return engine;
}
