/**
 * `npm run spec`: writes the last column of docs/internals/spec.md, the tests of each rule, from the titles of the
 * tests, which begin with the ids of what they prove. tests/tidy.test.ts compares the two.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { inRoot } from './lib/paths.mjs';

const specFile = inRoot('docs', 'internals', 'spec.md');
const lines = readFileSync(specFile, 'utf8').split('\n');
const idOf = (line) => /^\| ([A-Z]\d{1,2}) \|/.exec(line)?.[1];
const ids = new Set(lines.map(idOf).filter(Boolean));

/** The ids that a title begins with: `S1 S3 ...`, `D3, D5: ...`. */
function idsOf(title) {
  const head = /^(?:[A-Z]\d{1,2}(?:\s*[,/&]\s*|\s+|:|$))+/.exec(title)?.[0] ?? '';
  return (head.match(/[A-Z]\d{1,2}/g) ?? []).filter((id) => ids.has(id));
}

const testsOf = new Map([...ids].map((id) => [id, new Set()]));
const files = readdirSync(inRoot('tests'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.ts') && file !== 'tidy.test.ts')
  .map((file) => `tests/${file}`)
  .sort();
for (const file of files) {
  const text = readFileSync(inRoot(file), 'utf8');
  for (const [, , title] of text.matchAll(/\(\s*(['"`])([A-Z]\d{1,2}\b[^\n]*?)\1/g)) {
    for (const id of idsOf(title)) testsOf.get(id).add(file);
  }
}

const written = lines.map((line) => {
  const id = idOf(line);
  if (!id) return line;
  const named = [...testsOf.get(id)].map((file) => `\`${file}\``).join('<br>') || '–';
  return `${line.split(' | ').slice(0, 3).join(' | ')} | ${named} |`;
});
writeFileSync(specFile, written.join('\n'));
