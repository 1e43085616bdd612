/**
 * `npm run spec`: writes docs/internals/spec-tests.md, the tests of each rule. Titles of tests begin with the ids of
 * the rules that they prove. tests/tidy.test.ts compares the two.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { inRoot } from './lib/paths.mjs';

const spec = readFileSync(inRoot('docs', 'internals', 'spec.md'), 'utf8');
const ids = [...spec.matchAll(/^### ([A-Z]\d{1,2})$/gm)].map(([, id]) => id);

/** The ids that a title begins with: `S1 S3 ...`, `D3, D5: ...`. */
function idsOf(title) {
  const head = /^(?:[A-Z]\d{1,2}(?:\s*[,/&]\s*|\s+|:|$))+/.exec(title)?.[0] ?? '';
  return (head.match(/[A-Z]\d{1,2}/g) ?? []).filter((id) => ids.includes(id));
}

const testsOf = new Map(ids.map((id) => [id, new Set()]));
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

const head = `# Tests of each rule

\`npm run spec\` writes this file from the titles of the tests. What each rule says is in [spec.md](spec.md).
`;
const section = ([id, named]) =>
  `\n## ${id}\n\n${[...named].map((file) => `- \`${file}\`\n`).join('')}`;
const written = head + [...testsOf].map(section).join('');
writeFileSync(inRoot('docs', 'internals', 'spec-tests.md'), written);
