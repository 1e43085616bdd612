import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir, inRoot } from './paths.mjs';
import { run } from './processes.mjs';
import { SetupError } from './say.mjs';

/**
 * Bundles `tests/<name>/main.ts`, so that it runs on every version of Node that the gateway runs on;
 * answers the file to run.
 */
export async function bundle(name) {
  mkdirSync(cacheDir, { recursive: true });
  const file = join(cacheDir, `${name}.mjs`);
  const status = await run(inRoot('node_modules', '.bin', 'esbuild'), [
    inRoot('tests', name, 'main.ts'),
    ...['--bundle', '--packages=external', '--platform=node', '--format=esm', '--target=node20'],
    ...['--log-level=warning', `--outfile=${file}`],
  ]);
  if (status !== 0) throw new SetupError(`tests/${name} could not be bundled`);
  return file;
}
