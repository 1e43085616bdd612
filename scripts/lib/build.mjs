import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { cacheDir, inRoot, root } from './paths.mjs';
import { run } from './processes.mjs';
import { ensureProgram } from './program.mjs';
import { say } from './say.mjs';

const stampFile = join(cacheDir, 'built');

const workspaces = () =>
  ['packages', 'apps'].flatMap((dir) =>
    readdirSync(inRoot(dir))
      .map((name) => inRoot(dir, name))
      .filter((path) => existsSync(join(path, 'tsconfig.json'))),
  );

function sourceFiles() {
  const files = [
    inRoot('tsconfig.base.json'),
    inRoot('tsconfig.json'),
    inRoot('package-lock.json'),
  ];
  for (const workspace of workspaces()) {
    files.push(join(workspace, 'tsconfig.json'));
    const names = readdirSync(join(workspace, 'src'), { recursive: true });
    files.push(...names.map((name) => join(workspace, 'src', name)));
  }
  return files;
}

/** Names, sizes and times of all sources: takes a few milliseconds, whereas asking tsc takes a second. */
function fingerprint() {
  const hash = createHash('sha256');
  for (const file of sourceFiles().sort()) {
    const { size, mtimeMs } = statSync(file);
    hash.update(`${relative(root, file)}\0${size}\0${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

function isBuilt(now) {
  if (!workspaces().every((path) => existsSync(join(path, 'dist', 'index.js')))) return false;
  try {
    return readFileSync(stampFile, 'utf8') === now;
  } catch {
    return false;
  }
}

/** Builds what changed since the last build; returns whether the build succeeded. */
export async function ensureBuilt() {
  // Taken before the build: files that change while tsc reads are built next time.
  const now = fingerprint();
  if (isBuilt(now)) {
    await ensureProgram();
    return true;
  }
  say('building: tsc --build');
  const tsc = inRoot('node_modules', 'typescript', 'bin', 'tsc');
  if ((await run(process.execPath, [tsc, '--build'])) !== 0) return false;
  await ensureProgram();
  mkdirSync(cacheDir, { recursive: true });
  writeFileSync(stampFile, now);
  return true;
}
