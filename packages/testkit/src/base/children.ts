import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';

/**
 * Runs a line of shell (`$1` is `subject`) when this process ends, however it ends: the shell reads a pipe
 * that only we hold, and the system closes it even after a SIGKILL. Returns a function that cancels it.
 */
export function onDeath(line: string, subject: string): () => void {
  const watcher = spawn('sh', ['-c', `read -r _ || ${line}`, 'sh', subject], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  const { stdin } = watcher;
  watcher.on('error', () => undefined);
  stdin.on('error', () => undefined);
  watcher.unref();
  if ('unref' in stdin && typeof stdin.unref === 'function') stdin.unref();
  return () => stdin.end('\n');
}

function watch(child: ChildProcess): void {
  child.once('exit', onDeath('kill -9 "$1"', String(child.pid)));
}

export type ChildOptions = {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
};

/** A child process that never outlives this one; stdout and stderr are pipes. */
export function startChild(command: string, args: readonly string[], options: ChildOptions = {}) {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  child.once('spawn', () => watch(child));
  return child;
}

/** A port that was free on loopback a moment ago: the caller must be ready to try another. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (address && typeof address === 'object') resolve(address.port);
        else reject(new Error('no port'));
      });
    });
  });
}
