import { join } from 'node:path';
import { cacheDir, inRoot } from './paths.mjs';
import { run } from './processes.mjs';
import { SetupError } from './say.mjs';

/**
 * Bundles `<folder>/<entry>.ts` for each entry, so that they run on every version of Node that the gateway
 * runs on; they keep their places beside one another. Returns the file of the first entry.
 */
export async function bundle(folder, entries = ['main']) {
  const outDir = join(cacheDir, folder);
  const status = await run(inRoot('node_modules', '.bin', 'esbuild'), [
    ...entries.map((entry) => inRoot(folder, `${entry}.ts`)),
    ...['--bundle', '--packages=external', '--platform=node', '--format=esm', '--target=node20'],
    ...['--log-level=warning', `--outdir=${outDir}`, `--outbase=${inRoot(folder)}`],
    '--out-extension:.js=.mjs',
  ]);
  if (status !== 0) throw new SetupError(`${folder} could not be bundled`);
  return join(outDir, `${entries[0]}.mjs`);
}
