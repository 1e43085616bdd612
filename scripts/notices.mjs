/**
 * `npm run notices`: writes THIRD_PARTY_NOTICES, the licences of all packages that the gateway runs with, from
 * package-lock.json and node_modules. `-- --check` only compares; status 1 when the file is out of date.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inRoot } from './lib/paths.mjs';
import { nameOf, packages, productionPaths } from './lib/production-tree.mjs';
import { say } from './lib/say.mjs';

const file = inRoot('THIRD_PARTY_NOTICES');
/** Licence and notice files of a package, unchanged. */
function texts(path) {
  const dir = inRoot(path);
  if (!existsSync(dir)) return [];
  const names = readdirSync(dir).filter((name) => /^(licen[cs]e|copying|notice)/i.test(name));
  return names.sort().map((name) =>
    readFileSync(join(dir, name), 'utf8')
      .replaceAll(/[ \t\r]+$/gm, '')
      .trim(),
  );
}

function notice(path) {
  const { version, license, os } = packages[path];
  const title = `${nameOf(path)} ${version}`;
  // A package for one platform is installed only there, so its text is not on every machine.
  const parts = os ? [] : texts(path);
  return {
    title,
    text: [`${title}\nLicence as declared: ${license ?? 'none'}`, ...parts].join('\n\n'),
  };
}

const rule = `\n\n${'-'.repeat(80)}\n\n`;
const notices = productionPaths()
  .filter((path) => path.includes('node_modules/'))
  .map(notice)
  .sort((a, b) => (a.title < b.title ? -1 : 1));
const head = `Sluice runs with the packages below, each under its own licence. Written by \`npm run notices\`.

${notices.map(({ title }) => title).join('\n')}`;
const wanted = `${[head, ...notices.map(({ text }) => text)].join(rule)}\n`;

if (!process.argv.includes('--check')) {
  writeFileSync(file, wanted);
} else if (!existsSync(file) || readFileSync(file, 'utf8') !== wanted) {
  say('THIRD_PARTY_NOTICES is not that of package-lock.json: run `npm run notices`');
  process.exitCode = 1;
}
