import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { within } from '@sluice/runtime';
import { startChild, stopLater } from '@sluice/testkit';

const READY_MS = 15_000;

/** Path of an entry of scripts/bench.mjs: beside the bundle of main.ts, which contains this code. */
export const builtFile = (entry: string) =>
  fileURLToPath(new URL(`./${entry}.mjs`, import.meta.url));

export type Child = { readonly pid: number; readonly port: number; stop(): Promise<void> };

/** Starts a program of this folder; the first line that it prints is `{"port": N}`. */
export async function startEntry(entry: string, args: readonly string[]): Promise<Child> {
  const env = { ...process.env, NODE_ENV: 'production' };
  const child = startChild(process.execPath, [builtFile(entry), ...args], { env });
  const ended = once(child, 'close');
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors = `${errors}${chunk}`.slice(-2_000);
  });
  const stop = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  const forget = stopLater(stop);
  ended.then(forget);
  const lines = createInterface({ input: child.stdout });
  const first = once(lines, 'line').then(([line]) => String(line));
  const line = await within(Promise.race([first, ended.then(() => '')]), READY_MS);
  if (!line) {
    await stop();
    throw new Error(`${entry} did not become ready: ${errors}`);
  }
  return { pid: child.pid ?? 0, port: Number(JSON.parse(line).port), stop };
}
