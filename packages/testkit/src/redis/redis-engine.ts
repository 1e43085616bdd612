import { execFileSync } from 'node:child_process';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { within } from '@sluice/runtime';
import { image, startContainer } from './redis-container.js';

/** Where the Redis of a test file comes from; a bare container runs without the cleaner of testcontainers. */
export type RedisEngine =
  | { readonly kind: 'container' | 'bare-container' }
  | { readonly kind: 'machine'; readonly server: string };

/** Pulling the image may take as long as this, once per run. */
const pullMs = 20_000;

const named = process.env.SLUICE_REDIS_SERVER;

/** What a server calls itself: `Redis 7.0.15`, `Valkey 8.1.1`; undefined: it is no server that runs here. */
export function serverName(server: string): string | undefined {
  try {
    const said = execFileSync(server, ['--version'], { encoding: 'utf8', timeout: 5_000 });
    const [, name, version] = /^(\w+) server v=(\S+)/.exec(said) ?? [];
    return name && `${name} ${version}`;
  } catch {
    return undefined;
  }
}

/** A redis-server or valkey-server of this machine, as a command. Throws if there is none. */
export function installedServer(): string {
  const candidates = named ? [named] : ['redis-server', 'valkey-server'];
  const server = candidates.find((one) => serverName(one) !== undefined);
  if (server) return server;
  const missing = named ? `SLUICE_REDIS_SERVER: ${named} is no server that runs here` : 'no Redis';
  throw new Error(
    `${missing} for the tests: start a container engine, or install redis-server (7.0 or newer) or valkey-server`,
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

/** For all files of a run: said by the one that decides. */
function tell(engine: RedisEngine): void {
  const which =
    engine.kind === 'machine'
      ? `${serverName(engine.server)} of this machine (${engine.server})`
      : `a container of ${image}`;
  process.stderr.write(`redis for this run: ${which}\n`);
}

function decided(): RedisEngine | undefined {
  try {
    const kept = readFileSync(cacheFile(), 'utf8');
    if (kept === 'bare-container') leaveCleanerOut();
    if (kept === 'container' || kept === 'bare-container') return { kind: kept };
    // The number of a process that has ended may come again: another run named another server.
    return named && named !== kept ? undefined : { kind: 'machine', server: kept };
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
  tell(engine);
  return engine;
}
