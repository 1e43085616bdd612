import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inRoot } from './paths.mjs';

/** The packages of package-lock.json by path, the workspaces among them. */
export const { packages } = JSON.parse(readFileSync(inRoot('package-lock.json'), 'utf8'));

/** The entry that `name` means for a package at `from`: its own node_modules, then those further up. */
function resolve(name, from) {
  for (let dir = from; ; dir = dir.slice(0, Math.max(0, dir.lastIndexOf('/')))) {
    const path = join(dir, 'node_modules', name);
    if (packages[path]) return packages[path].link ? packages[path].resolved : path;
    if (dir === '') return undefined;
  }
}

/**
 * Paths of everything that `sluice` runs with, its own workspaces included. Peers as well: npm installs
 * them; optional ones are not in the lock file, or there for a tool of the developers.
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

/** As npm names it: an alias by what stands behind it. */
export const nameOf = (path) => packages[path].name ?? path.split('node_modules/').pop();
