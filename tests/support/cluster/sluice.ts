import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { startChild, stopLater } from '@sluice/testkit';

const bin = fileURLToPath(new URL('../../../bin/sluice', import.meta.url));

export type SluiceOptions = {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
};

export type Ended = {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
};

/** `bin/sluice` as a process of its own, with nothing in its environment but PATH and what is given. */
export function startSluice(args: readonly string[], { env = {}, cwd }: SluiceOptions = {}) {
  const { PATH } = process.env;
  const child = startChild(process.execPath, [bin, ...args], {
    env: { PATH, ...env },
    ...(cwd ? { cwd } : {}),
  });
  const status = new Promise<number | null>((resolve) => child.once('close', resolve));
  const forget = stopLater(async () => {
    child.kill('SIGKILL');
    await status;
  });
  status.then(forget);
  return { child, status };
}

/** Runs a command to its end. */
export async function sluice(args: readonly string[], options?: SluiceOptions): Promise<Ended> {
  const { child, status } = startSluice(args, options);
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { status: await status, stdout, stderr };
}
