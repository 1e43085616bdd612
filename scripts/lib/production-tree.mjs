import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inRoot } from './paths.mjs';

/** The packages of package-lock.json by path, the workspaces among them. */
export const { packages } = JSON.parse(readFileSync(inRoot('package-lock.json'), 'utf8'));

/** The path of package `name` as seen from `from`: in its own node_modules, then in those further up. */
function resolve(name, from) {
  for (let dir = from; ; dir = dir.slice(0, Math.max(0, dir.lastIndexOf('/')))) {
    const path = join(dir, 'node_modules', name);
    if (packages[path]) return packages[path].link ? packages[path].resolved : path;
    if (dir === '') return undefined;
  }
}

/**
 * Paths of all packages that `sluice` runs with, including its own workspaces and peers, which npm installs.
 * Optional peers are left out: they are not in the lock file, or only there for a tool of the developers.
 */
export function productionPaths() {
  const found = new Set(['apps/cli']);
  for (const path of found) {
    const { dependencies, optionalDependencies, peerDependencies } = packages[path];
    const names = Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies });
    for (const name of names) {
      const target = resolve(name, path);
      if (target && !packages[target].dev) found.add(target);
    }
  }
  return [...found];
}

/** The name of a package; for an alias, the name of the package that it stands for. */
export const nameOf = (path) => packages[path].name ?? path.split('node_modules/').pop();
