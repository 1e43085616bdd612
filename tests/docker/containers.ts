import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { eventually } from '@sluice/testkit';

const run = promisify(execFile);
/** A drain, or a pull of nothing: the images are there by now. */
const limitMs = 60_000;
/** A busy machine takes longer for the question than the node for its answer. */
const healthyMs = 2 * 60_000;
/** Each look is a process. */
const pollMs = 500;
/** docker-compose.yml's stop_grace_period. */
const GRACE_S = 20;

async function docker(...args: string[]): Promise<string> {
  const { stdout } = await run('docker', args, { timeout: limitMs });
  return stdout.trim();
}

/** A container of the project by the name of its service; the words of `compose` come from the caller. */
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

  /** SIGTERM to its process 1; answers the status it ended with. */
  async stop(): Promise<number> {
    await docker('stop', '-t', String(GRACE_S), this.id);
    return Number(await docker('inspect', '--format', '{{.State.ExitCode}}', this.id));
  }

  async start(): Promise<void> {
    await docker('start', this.id);
  }

  /** As the HEALTHCHECK of the image says. */
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
