import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { within } from '@sluice/runtime';
import { freePort, startChild } from '../base/children.js';
import { type MovableClock, makeMovableClock } from './movable-clock.js';
import { type RedisBackend, redisArguments } from './redis-backend.js';

const startMs = 10_000;
const stopMs = 5_000;

type Child = ReturnType<typeof startChild>;
const alive = (child: Child) => child.exitCode === null && child.signalCode === null;

type Program = {
  readonly server: string;
  readonly dir: string;
  readonly env?: NodeJS.ProcessEnv | undefined;
};

/** Resolves once it accepts connections; rejects with its output when it ends before. */
async function launch({ server, dir, env }: Program, args: readonly string[]): Promise<Child> {
  const options = env ? { env: { ...process.env, ...env } } : {};
  const child = startChild(server, ['--dir', dir, '--bind', '127.0.0.1', ...args], options);
  let output = '';
  const ready = new Promise<true>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      output += chunk.toString();
      if (/ready to accept connections/i.test(output)) resolve(true);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`${server} ended: ${output.slice(-500)}`)));
  });
  if (await within(ready, startMs)) return child;
  child.kill('SIGKILL');
  throw new Error(`${server} not ready after ${startMs} ms: ${output.slice(-500)}`);
}

async function launchOnPort(program: Program, extra: readonly string[], given?: number) {
  for (let attempt = 1; ; attempt += 1) {
    const port = given ?? (await freePort());
    const args = ['--port', String(port), ...redisArguments(extra)];
    try {
      return { port, args, child: await launch(program, args) };
    } catch (error) {
      const isTaken = given === undefined && /bind|in use/i.test(String(error));
      if (attempt === 5 || !isTaken) throw error;
    }
  }
}

export type OnMachineOptions = {
  readonly args?: readonly string[] | undefined;
  readonly movableClock?: boolean | undefined;
  /** Left out: a free one. */
  readonly port?: number;
  /** Where its directory is made. */
  readonly parent?: string;
  /** Files that are in its directory when it starts. */
  readonly files?: Readonly<Record<string, string>>;
};

/** A Redis that runs on this machine, in a directory of its own. */
export async function startOnMachine(
  server: string,
  {
    args: extra = [],
    movableClock = false,
    port: given,
    files = {},
    parent = tmpdir(),
  }: OnMachineOptions = {},
): Promise<RedisBackend & { readonly clock: MovableClock | undefined }> {
  const dir = mkdtempSync(join(parent, 'sluice-redis-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  const clock = movableClock ? await makeMovableClock(join(dir, 'clock')) : undefined;
  const program = { server, dir, env: clock?.env };
  const { port, args, child: first } = await launchOnPort(program, extra, given);
  let child = first;

  const stop = async (signal: 'SIGTERM' | 'SIGKILL') => {
    if (!alive(child)) return;
    const exited = once(child, 'exit');
    // A stopped process gets SIGTERM only after SIGCONT.
    child.kill('SIGCONT');
    child.kill(signal);
    if (await within(exited, stopMs)) return;
    child.kill('SIGKILL');
    await exited;
  };
  return {
    port,
    clock,
    stop,
    start: async () => {
      if (!alive(child)) child = await launch(program, args);
    },
    pause: async () => void child.kill('SIGSTOP'),
    resume: async () => void child.kill('SIGCONT'),
    remove: async () => {
      await stop('SIGKILL');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
