import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { within } from '@sluice/runtime';
import { freePort, startChild } from './children.js';
import { type RedisBackend, redisArguments } from './redis-backend.js';

const startMs = 10_000;
const stopMs = 5_000;

type Child = ReturnType<typeof startChild>;
const alive = (child: Child) => child.exitCode === null && child.signalCode === null;

/** Resolves once it accepts connections; rejects with its output when it ends before. */
async function launch(server: string, dir: string, args: readonly string[]): Promise<Child> {
  const child = startChild(server, ['--dir', dir, '--bind', '127.0.0.1', ...args]);
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

async function launchOnFreePort(server: string, dir: string, extra: readonly string[]) {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const args = ['--port', String(port), ...redisArguments(extra)];
    try {
      return { port, args, child: await launch(server, dir, args) };
    } catch (error) {
      if (attempt === 5 || !/bind|in use/i.test(String(error))) throw error;
    }
  }
}

/** A Redis of this machine, in a directory of its own. */
export async function startOnMachine(
  server: string,
  extra: readonly string[] = [],
): Promise<RedisBackend> {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-redis-'));
  const { port, args, child: first } = await launchOnFreePort(server, dir, extra);
  let child = first;

  const stop = async (signal: 'SIGTERM' | 'SIGKILL') => {
    if (!alive(child)) return;
    const exited = once(child, 'exit');
    // A stopped process looks at SIGTERM only when it goes on.
    child.kill('SIGCONT');
    child.kill(signal);
    if (await within(exited, stopMs)) return;
    child.kill('SIGKILL');
    await exited;
  };
  return {
    port,
    stop,
    start: async () => {
      if (!alive(child)) child = await launch(server, dir, args);
    },
    pause: async () => void child.kill('SIGSTOP'),
    resume: async () => void child.kill('SIGCONT'),
    remove: async () => {
      await stop('SIGKILL');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
