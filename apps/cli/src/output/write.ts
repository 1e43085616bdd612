import { once } from 'node:events';

/** Writes to stdout; a reader that is slower than we are is waited for. */
export async function write(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain');
}

export async function writeLines(lines: readonly string[]): Promise<void> {
  await write(lines.map((line) => `${line}\n`).join(''));
}
