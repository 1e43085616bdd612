/**
 * `node scripts/image-tree.mjs DIR`: copies the files that the image runs beside its node_modules: the built
 * workspaces that `sluice` needs, in the places where they look for one another.
 */
import { cpSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { inRoot } from './lib/paths.mjs';
import { productionPaths } from './lib/production-tree.mjs';

const [target] = process.argv.slice(2);
if (!target) throw new Error('name the directory to fill: node scripts/image-tree.mjs DIR');

/** Files for people who read or compile the code; the image does not need them. */
const isForReaders = (file) => /\.(d\.ts|map|tsbuildinfo)$/.test(file);

const workspaces = productionPaths().filter((path) => !path.includes('node_modules/'));
const parts = ['package.json', 'data', 'dist', 'public', 'scripts'];
const files = [
  ...['package.json', 'LICENSE', 'THIRD_PARTY_NOTICES', 'bin', 'supply-chain'],
  ...workspaces.flatMap((path) => parts.map((part) => `${path}/${part}`)),
];
for (const file of files) {
  if (!existsSync(inRoot(file))) continue;
  cpSync(inRoot(file), join(target, file), {
    recursive: true,
    filter: (source) => !isForReaders(source),
  });
}
