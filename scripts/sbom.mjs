/**
 * `npm run -s sbom`: prints a CycloneDX list of all packages that `sluice` runs with. It is made from
 * `npm sbom`, which lists the whole repository. `npm sbom --omit dev` also leaves out packages that tools and
 * gateway both need, so the packages are chosen here.
 */
import { execFileSync } from 'node:child_process';
import { root } from './lib/paths.mjs';
import { nameOf, packages, productionPaths } from './lib/production-tree.mjs';

const args = ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'];
const text = execFileSync('npm', args, { cwd: root, encoding: 'utf8', maxBuffer: 64 * 2 ** 20 });
const bom = JSON.parse(text);
const kept = new Set(productionPaths().map((path) => `${nameOf(path)}@${packages[path].version}`));
const known = new Set(bom.components.map((it) => it['bom-ref']));
const unknown = [...kept].filter((ref) => !known.has(ref));
if (unknown.length > 0) throw new Error(`npm sbom does not know ${unknown.join(', ')}`);

const { 'bom-ref': own } = bom.metadata.component;
const result = {
  ...bom,
  // npm takes the name of the directory.
  metadata: { ...bom.metadata, component: { ...bom.metadata.component, name: packages[''].name } },
  components: bom.components.filter((it) => kept.has(it['bom-ref'])),
  dependencies: bom.dependencies
    .filter(({ ref }) => ref === own || kept.has(ref))
    .map((it) => ({ ...it, dependsOn: it.dependsOn.filter((ref) => kept.has(ref)) })),
};
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
