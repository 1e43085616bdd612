import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { eventually } from '@sluice/testkit';

const run = promisify(execFile);
/** Long enough for a drain; images have been pulled by now. */
const limitMs = 60_000;
/** On a busy machine the health check itself takes long, not the answer of the node. */
const healthyMs = 2 * 60_000;
/** Not shorter, since each check is a process. */
const pollMs = 500;
/** `stop_grace_period` of docker-compose.yml. */
const GRACE_S = 20;

async function docker(...args: string[]): Promise<string> {
  const { stdout } = await run('docker', args, { timeout: limitMs });
  return stdout.trim();
}

/** The container of a service; `compose` is the command for the project. */
export async function containerOf(compose: readonly string[], name: string): Promise<Container> {
  const [command = '', ...args] = compose;
  const { stdout } = await run(command, [...args, 'ps', '-q', name], { timeout: limitMs });
  const id = stdout.trim();
  if (!/^[0-9a-f]{12,}$/.test(id)) throw new Error(`${name} has no container`);
  return new Container(name, id);
}

export class Container {
  constructor(
    readonly name: string,
    readonly id: string,
  ) {}

  /** Sends SIGTERM to its process 1; returns its exit status. */
  async stop(): Promise<number> {
    await docker('stop', '-t', String(GRACE_S), this.id);
    return Number(await docker('inspect', '--format', '{{.State.ExitCode}}', this.id));
  }

  async start(): Promise<void> {
    await docker('start', this.id);
  }

  /** Waits until the HEALTHCHECK of the image succeeds. */
  async healthy(): Promise<void> {
    await eventually(
      async () => {
        const status = await docker('inspect', '--format', '{{.State.Health.Status}}', this.id);
        return status === 'healthy';
      },
      healthyMs,
      pollMs,
    );
  }
}
