import { createHash } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir, inRoot } from './paths.mjs';
import { run } from './processes.mjs';
import { SetupError, say } from './say.mjs';

const modules = inRoot('node_modules');
const lockFile = inRoot('package-lock.json');
const stampFile = join(cacheDir, 'installed');

const hashOf = (file) => createHash('sha256').update(readFileSync(file)).digest('hex');

function readStamp() {
  try {
    return readFileSync(stampFile, 'utf8');
  } catch {
    return '';
  }
}

/** Whether node_modules holds what the lock file names, however it was installed. */
function isInstalled() {
  const installedFile = inRoot('node_modules', '.package-lock.json');
  if (!existsSync(installedFile)) return false;
  const wanted = JSON.parse(readFileSync(lockFile, 'utf8')).packages;
  const installed = JSON.parse(readFileSync(installedFile, 'utf8')).packages;
  return Object.entries(wanted).every(([path, { version, link, optional, peer }]) => {
    // Links are the workspaces; optional packages are for other platforms.
    if (!path.startsWith('node_modules/') || optional || peer) return true;
    return link ? path in installed : installed[path]?.version === version;
  });
}

/** Runs the npm that called us, else the one on the PATH. */
async function npmCi() {
  // npm ci empties the directory first: through a link it would empty another checkout's.
  if (lstatSync(modules, { throwIfNoEntry: false })?.isSymbolicLink()) {
    throw new SetupError(
      'node_modules is a link, and does not hold what package-lock.json names: ' +
        'run npm ci in the directory to which it leads',
    );
  }
  const args = ['ci', '--include=dev', '--no-audit', '--no-fund'];
  say(`installing dependencies: npm ${args.join(' ')}`);
  const cli = process.env.npm_execpath;
  const status = cli?.endsWith('.js')
    ? await run(process.execPath, [cli, ...args])
    : await run('npm', args);
  if (status !== 0) {
    throw new SetupError('npm ci failed: the lines above say why; is the npm registry reachable?');
  }
}

/** Installs with `npm ci` unless node_modules agrees with the lock file. */
export async function ensureDependencies() {
  const hash = hashOf(lockFile);
  if (existsSync(modules) && readStamp() === hash) return;
  if (!isInstalled()) await npmCi();
  mkdirSync(cacheDir, { recursive: true });
  writeFileSync(stampFile, hash);
}
