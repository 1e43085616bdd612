import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository; scripts work in it, from wherever they are called. */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const inRoot = (...parts) => join(root, ...parts);

/** What the set-up remembers between two calls; deleted together with node_modules. */
export const cacheDir = inRoot('node_modules', '.cache', 'sluice');

/** The private Redis: its data, socket, pid file and log. */
export const stateDir = inRoot('.sluice');
