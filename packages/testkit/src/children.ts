import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';

/**
 * Ends with the test process, however that ends: its standard input is a pipe that only we hold, and
 * the system closes it even after a SIGKILL. A line on it means that the watched process is gone.
 */
function watch(child: ChildProcess): void {
  const script = 'read -r _ || kill -9 "$1"';
  const watcher = spawn('sh', ['-c', script, 'sh', String(child.pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  const { stdin } = watcher;
  watcher.on('error', () => child.kill('SIGKILL'));
  stdin.on('error', () => undefined);
  watcher.unref();
  if ('unref' in stdin && typeof stdin.unref === 'function') stdin.unref();
  child.once('exit', () => stdin.end('\n'));
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

/** A port that was free on loopback a moment ago: whoever uses it must be ready to try another. */
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
