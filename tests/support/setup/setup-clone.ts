import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually } from '@sluice/testkit';

const repository = fileURLToPath(new URL('../../..', import.meta.url));
const copied = [
  'scripts',
  'bin',
  '.ci',
  'biome.json',
  '.gitignore',
  'package.json',
  'package-lock.json',
];
const linked = [
  'node_modules',
  'packages',
  'apps',
  'tsconfig.base.json',
  'tsconfig.json',
  'jest.config.ts',
];

/** A second working directory of this repository, with its own `.sluice/` and the same build. */
export function makeClone(name = 'clone'): { dir: string; remove(): void } {
  const base = mkdtempSync(join(tmpdir(), 'sluice-setup-'));
  const dir = join(base, name);
  mkdirSync(dir, { recursive: true });
  for (const path of copied) cpSync(join(repository, path), join(dir, path), { recursive: true });
  for (const path of linked) symlinkSync(join(repository, path), join(dir, path));
  return { dir, remove: () => rmSync(base, { recursive: true, force: true }) };
}

/** The environment without any of our variables. */
export function plainEnv(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(SLUICE_|REDIS_URL$|npm_|JEST_|OPENAI_|NODE_OPTIONS$|NODE_ENV$|CI$)/.test(name),
  );
  return { ...Object.fromEntries(own), ...more };
}

export type Started = ReturnType<typeof startScript>;
const started = new Set<Started>();

/** Runs a command in the clone, in its own process group, and keeps its output. */
export function startScript(dir: string, words: readonly string[], env = plainEnv()) {
  const [command = '', ...args] = words;
  const child = spawn(command, args, {
    cwd: dir,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
  }
  const exited: Promise<number | null> = once(child, 'exit').then(([code]) => code);
  const closed: Promise<unknown> = once(child, 'close');
  const self = {
    child,
    exited,
    closed,
    text: () => text,
    /** Waits for the first matching line; returns it, parsed if it is JSON. */
    seen: (pattern: RegExp, ms = 20_000) =>
      eventually(() => {
        const match = pattern.exec(text);
        if (match) return match;
        throw new Error(`${pattern} not in:\n${text}`);
      }, ms),
  };
  started.add(self);
  exited.then(() => started.delete(self));
  return self;
}

export const startNode = (dir: string, args: readonly string[], env?: NodeJS.ProcessEnv) =>
  startScript(dir, [process.execPath, 'scripts/start.mjs', '--gateway.port', '0', ...args], env);

/** `npm start` with a gateway on a free port, up to its "ready" line. */
export async function startReady(dir: string, env?: NodeJS.ProcessEnv) {
  const script = startNode(dir, [], env);
  const [, port] = await script.seen(/"port":(\d+).*"msg":"ready"/);
  const gatewayPid = readNumber(join(dir, '.sluice', 'users', String(script.child.pid)));
  return { ...script, url: `http://127.0.0.1:${port}`, gatewayPid };
}

export const readNumber = (file: string) => Number(readFileSync(file, 'utf8').trim());
export const redisPid = (dir: string) => readNumber(join(dir, '.sluice', 'redis.pid'));

export function isLiving(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Ends what a failed test left behind in a clone, by the process numbers that the clone holds. */
export async function endAll(dir: string, pids: readonly number[] = []): Promise<void> {
  for (const script of started) script.child.kill('SIGTERM');
  await Promise.all([...started].map(({ exited }) => exited));
  for (const pid of pids) if (isLiving(pid)) process.kill(pid, 'SIGKILL');
  try {
    process.kill(redisPid(dir), 'SIGKILL');
  } catch {
    // It has stopped, as it should.
  }
}
