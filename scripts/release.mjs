/**
 * `npm run release`: makes all that a release is made of in dist-release/, and publishes nothing. It wants a clean
 * work tree, and a section of the CHANGELOG for the version with nothing above it.
 * `-- --dry` takes the work tree as it is, and the section `Next`; `-- --out DIR` writes elsewhere.
 * docs/internals/supply-chain.md says what each file is, and what two runs have in common.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureBuilt } from './lib/build.mjs';
import { ensureDependencies } from './lib/dependencies.mjs';
import { inRoot } from './lib/paths.mjs';
import { SetupError, say } from './lib/say.mjs';
import { archiveChart, archiveSource } from './release/archives.mjs';
import { makeImage } from './release/image.mjs';
import { packPrograms } from './release/packages.mjs';
import { writeBom, writeNotes, writeNotices, writeSums } from './release/papers.mjs';
import { stateOf } from './release/state.mjs';

function optionsOf(args) {
  try {
    const options = { dry: { type: 'boolean' }, out: { type: 'string' } };
    return parseArgs({ args, options }).values;
  } catch (error) {
    throw new SetupError(`${error.message}; give --dry, --out DIR or nothing`, 2);
  }
}

async function release({ dry = false, out = 'dist-release' }) {
  const state = stateOf({ dry });
  const dir = resolve(inRoot(), out);
  await ensureDependencies();
  if (!(await ensureBuilt())) throw new SetupError('the build failed', 1);
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  const stage = mkdtempSync(join(tmpdir(), 'sluice-release-'));
  try {
    await packPrograms(dir, stage, state);
  } finally {
    rmSync(stage, { recursive: true });
  }
  archiveSource(dir, state);
  archiveChart(dir, state);
  writeBom(dir, state);
  writeNotices(dir);
  await makeImage(dir, state);
  writeNotes(dir, state);
  for (const line of writeSums(dir)) say(line);
  say(`${state.name}: all in ${dir}; nothing was published`);
}

try {
  await release(optionsOf(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(`npm run release: ${error.message}`);
  process.exitCode = error.status;
}
