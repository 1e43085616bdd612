/** What holds for package.json of the workspaces: each names the packages that its sources use. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';

const args = ['ls-files', '--cached', '--others', '--exclude-standard', 'apps', 'packages'];
const files = execFileSync('git', args, { encoding: 'utf8' })
  .split('\n')
  .filter((file) => file !== '' && existsSync(file));
const read = (file: string) => readFileSync(file, 'utf8');
const manifest = z.object({ dependencies: z.record(z.string(), z.string()).optional() });

const importing =
  /^(?:import|export)\s[^'"`;=]*?\sfrom '([^'.][^']*)'|\bimport\('([^'.][^']*)'\)/gm;

/** `@scope/name/part` and `name/part` without the part. */
const packageOf = (from: string) =>
  from
    .split('/')
    .slice(0, from.startsWith('@') ? 2 : 1)
    .join('/');

describe.each(files.filter((file) => file.endsWith('/package.json')))('%s', (file) => {
  const source = `${file.slice(0, -'package.json'.length)}src/`;
  const text = files
    .filter((it) => it.startsWith(source) && it.endsWith('.ts'))
    .map(read)
    .join('\n');
  const { dependencies = {} } = manifest.parse(JSON.parse(read(file)));
  const declared = Object.keys(dependencies);

  it('declares every package that is imported', () => {
    const imports = [...text.matchAll(importing)];
    expect(imports.length).toBeGreaterThan(0);
    const imported = imports
      .map(([, named, loaded = '']) => named ?? loaded)
      .filter((from) => !from.startsWith('node:'))
      .map(packageOf);
    expect([...new Set(imported)].filter((name) => !declared.includes(name))).toEqual([]);
  });

  it('declares no package that the sources do not name', () => {
    const isNamed = (name: string) => text.includes(`'${name}'`) || text.includes(`'${name}/`);
    expect(declared.filter((name) => !isNamed(name))).toEqual([]);
  });
});
