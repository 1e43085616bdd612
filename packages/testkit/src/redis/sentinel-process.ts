import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { within } from '@sluice/runtime';
import { freePort, startChild } from '../base/children.js';

const START_MS = 10_000;

export type SentinelShape = {
  readonly sentinels: number;
  readonly quorum: number;
  readonly downAfterMs: number;
  readonly failoverTimeoutMs: number;
};

/** One `redis-server --sentinel`. */
export type SentinelProcess = {
  readonly port: number;
  /** Starts it if it has ended, with what it knew. */
  start(): Promise<void>;
  kill(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  remove(): Promise<void>;
};

type Watched = {
  readonly name: string;
  readonly primary: number;
  readonly replicas: readonly number[];
};

type Planned = { readonly id: string; readonly port: number };

/** They know one another and the replicas from the start: else they would need seconds to find them. */
function configOf(self: Planned, all: readonly Planned[], watched: Watched, shape: SentinelShape) {
  const { name, primary, replicas } = watched;
  return [
    'bind 127.0.0.1',
    `port ${self.port}`,
    `sentinel myid ${self.id}`,
    `sentinel monitor ${name} 127.0.0.1 ${primary} ${shape.quorum}`,
    `sentinel down-after-milliseconds ${name} ${shape.downAfterMs}`,
    `sentinel failover-timeout ${name} ${shape.failoverTimeoutMs}`,
    `sentinel parallel-syncs ${name} ${replicas.length}`,
    ...replicas.map((port) => `sentinel known-replica ${name} 127.0.0.1 ${port}`),
    ...all
      .filter(({ id }) => id !== self.id)
      .map(({ id, port }) => `sentinel known-sentinel ${name} 127.0.0.1 ${port} ${id}`),
    '',
  ].join('\n');
}

async function launch(server: string, config: string, dir: string) {
  const child = startChild(server, [config, '--sentinel'], { cwd: dir });
  let output = '';
  const ready = new Promise<true>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (/\+monitor/.test(output)) resolve(true);
    });
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`the sentinel ended: ${output.slice(-500)}`)));
  });
  if (await within(ready, START_MS)) return child;
  child.kill('SIGKILL');
  throw new Error(`the sentinel is not ready after ${START_MS} ms: ${output.slice(-500)}`);
}

/** Starts sentinels that watch this primary, each in a directory of its own. */
export async function startSentinels(
  server: string,
  watched: Watched,
  shape: SentinelShape,
): Promise<SentinelProcess[]> {
  const planned: Planned[] = [];
  while (planned.length < shape.sentinels) {
    planned.push({ id: randomBytes(20).toString('hex'), port: await freePort() });
  }
  return Promise.all(
    planned.map(async (self) => {
      const dir = mkdtempSync(join(tmpdir(), 'sluice-sentinel-'));
      const config = join(dir, 'sentinel.conf');
      writeFileSync(config, configOf(self, planned, watched, shape));
      let child = await launch(server, config, dir);
      const isAlive = () => child.exitCode === null && child.signalCode === null;
      const kill = async () => {
        if (!isAlive()) return;
        const exited = once(child, 'exit');
        child.kill('SIGKILL');
        await exited;
      };
      return {
        port: self.port,
        start: async () => {
          if (!isAlive()) child = await launch(server, config, dir);
        },
        kill,
        signal: (name: NodeJS.Signals) => void child.kill(name),
        remove: async () => {
          await kill();
          rmSync(dir, { recursive: true, force: true });
        },
      };
    }),
  );
}
