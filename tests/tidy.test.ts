/** The repository's own rules: what no formatter and no compiler checks. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (file: string) => readFileSync(join(root, file), 'utf8');

/** What is in the repository or about to be; not what git ignores. */
function projectFiles(): string[] {
  const args = ['ls-files', '--cached', '--others', '--exclude-standard'];
  const listed = execFileSync('git', args, { cwd: root, encoding: 'utf8' });
  const isFile = (file: string) =>
    existsSync(join(root, file)) && statSync(join(root, file)).isFile();
  return [...new Set(listed.split('\n'))].filter((file) => file !== '' && isFile(file));
}

const files = projectFiles();
const source = files.filter((file) => /^(apps|packages)\/[^/]+\/src\/.*\.tsx?$/.test(file));
const tests = files.filter((file) => /^tests\/.*\.ts$/.test(file));
const setUp = files.filter((file) => /^scripts\/.*\.mjs$/.test(file));
const bench = files.filter((file) => /^bench\/.*\.ts$/.test(file));
const lua = files.filter((file) => file.endsWith('.lua'));
const code = [...source, ...tests, ...setUp, ...bench, ...lua];

/** `file:line: text` for every line of a file that breaks a rule. */
function linesThat(breaks: (line: string) => boolean, among: readonly string[]): string[] {
  return among.flatMap((file) =>
    read(file)
      .split('\n')
      .flatMap((line, index) => (breaks(line) ? [`${file}:${index + 1}: ${line.trim()}`] : [])),
  );
}

describe('sizes', () => {
  const tooLong = (among: readonly string[], limit: number) =>
    among
      .map((file) => ({ file, lines: read(file).trimEnd().split('\n').length }))
      .filter(({ lines }) => lines > limit)
      .map(({ file, lines }) => `${file}: ${lines} lines, at most ${limit}`);

  it('no source file is longer than 300 lines, no test longer than 400, no script than 80', () => {
    expect(tooLong([...source, ...setUp, ...bench], 300)).toEqual([]);
    expect(tooLong(tests, 400)).toEqual([]);
    expect(tooLong(lua, 80)).toEqual([]);
  });

  it('half of the source files are shorter than 120 lines', () => {
    const lengths = source.map((file) => read(file).split('\n').length).sort((a, b) => a - b);
    expect(lengths[Math.floor(lengths.length / 2)]).toBeLessThan(120);
  });

  it('no comment is wider than 120 characters; Biome holds the code to 100', () => {
    const isComment = /^\s*(\/\/|\/?\*|--)/;
    expect(linesThat((line) => isComment.test(line) && line.length > 120, code)).toEqual([]);
  });
});

type Import = { readonly file: string; readonly from: string; readonly names: string };

/** Static imports and re-exports with their names, and dynamic imports. */
function importsOf(file: string): Import[] {
  const text = read(file);
  const named = /^\s*(?:import|export)\s([^'"`;]*?)\s?from\s+['"]([^'"]+)['"]/gm;
  const bare = /(?:^\s*import\s+|\bimport\(\s*)['"]([^'"]+)['"]/gm;
  return [
    ...[...text.matchAll(named)].map(([, names = '', from = '']) => ({ file, from, names })),
    ...[...text.matchAll(bare)].map(([, from = '']) => ({ file, from, names: '*' })),
  ];
}

const workspaceOf = (file: string) => file.split('/').slice(0, 2).join('/');

describe('texts', () => {
  it('have no mark that a merge left', () => {
    const texts = files.filter((file) => /\.(md|ts|mjs|lua|ya?ml|json)$/.test(file));
    expect(linesThat((line) => /^(<{7}|>{7}) /.test(line), texts)).toEqual([]);
  });
});

describe('imports', () => {
  const imports = source.flatMap(importsOf);
  const wrong = (isWrong: (it: Import) => boolean) =>
    imports.filter(isWrong).map(({ file, from }) => `${file} imports ${from}`);

  it('go one way between the workspaces', () => {
    const allowed: Record<string, readonly string[]> = {
      'packages/protocol': [],
      'packages/runtime': [],
      'packages/store': ['protocol', 'runtime'],
      'packages/agents': ['protocol', 'runtime'],
      'packages/client': ['protocol', 'runtime'],
      'packages/testkit': ['protocol', 'runtime'],
      'apps/gateway': ['protocol', 'runtime', 'store', 'agents'],
      'apps/cli': ['protocol', 'runtime', 'store', 'agents', 'client', 'gateway'],
      'apps/console': ['protocol', 'client'],
    };
    const names = (file: string) => allowed[workspaceOf(file)]?.map((name) => `@sluice/${name}`);
    const packageOf = (from: string) => from.split('/').slice(0, 2).join('/');
    const isForeign = ({ file, from }: Import) => !names(file)?.includes(packageOf(from));
    expect(wrong((it) => it.from.startsWith('@sluice/') && isForeign(it))).toEqual([]);
  });

  it('never reach into another workspace by a path', () => {
    const target = ({ file, from }: Import) => normalize(join(dirname(file), from));
    expect(
      wrong(
        (it) => it.from.startsWith('.') && !target(it).startsWith(`${workspaceOf(it.file)}/src`),
      ),
    ).toEqual([]);
  });

  it('never lead from edge/ to worker/ or back: they meet only in Redis', () => {
    const roleOf = (path: string) => /^apps\/gateway\/src\/(edge|worker)\//.exec(path)?.[1];
    const target = ({ file, from }: Import) => roleOf(normalize(join(dirname(file), from)));
    expect(
      wrong((it) => {
        const from = roleOf(it.file);
        return it.from.startsWith('.') && !!from && !!target(it) && from !== target(it);
      }),
    ).toEqual([]);
  });

  it('keep each library in its own room', () => {
    const only = (library: string, place: RegExp, isMeant = (_names: string) => true) =>
      wrong(({ file, from, names }) => from === library && isMeant(names) && !place.test(file));
    expect(only('uWebSockets.js', /^apps\/gateway\/src\/edge\/network\/server\.ts$/)).toEqual([]);
    expect(only('ioredis', /^packages\/(store|testkit)\//)).toEqual([]);
    const isWorker = (names: string) => /\*|\bWorker\b/.test(names);
    expect(only('bullmq', /^apps\/gateway\/src\/worker\/consume\.ts$/, isWorker)).toEqual([]);
    expect(only('bullmq', /^(packages\/store|apps\/gateway\/src\/worker)\//)).toEqual([]);
    expect(only('pino', /^apps\/gateway\/src\/log\.ts$/)).toEqual([]);
    expect(only('prom-client', /^apps\/gateway\/src\/metrics\//)).toEqual([]);
  });

  it('of the set-up scripts are modules of Node, and what is loaded where npm ci has run', () => {
    const isLate = (from: string) => ['yaml', 'esbuild'].includes(from);
    const foreign = setUp
      .flatMap(importsOf)
      .filter(({ from }) => !from.startsWith('node:') && !from.startsWith('.') && !isLate(from))
      .map(({ file, from }) => `${file} imports ${from}`);
    expect(foreign).toEqual([]);
  });
});

describe('Lua scripts', () => {
  const scripts = lua.filter((file) => dirname(file) === 'packages/store/scripts');

  it('are named noun-verb', () => {
    expect(scripts.filter((file) => !/^[a-z]+-[a-z]+\.lua$/.test(basename(file)))).toEqual([]);
  });

  it('begin with their contract: purpose, KEYS, ARGV, REPLY and the ids of their rules', () => {
    expect(scripts.length).toBeGreaterThan(0);
    const faults = scripts.flatMap((file) => {
      const lines = read(file).split('\n');
      const header = lines.slice(
        0,
        lines.findIndex((line) => !line.startsWith('--')),
      );
      const missing = ['KEYS', 'ARGV', 'REPLY', 'RULES'].filter(
        (part) => !header.some((line) => line.startsWith(`-- ${part}:`)),
      );
      if (!/^-- [A-Z]/.test(header[0] ?? '')) missing.push('a purpose');
      const rules = header.find((line) => line.startsWith('-- RULES:')) ?? '';
      const unknown =
        rules
          .slice(9)
          .match(/\b\w+\b/g)
          ?.filter((id) => !ruleIds.has(id)) ?? [];
      return [...missing, ...unknown].map((part) => `${file}: ${part}`);
    });
    expect(faults).toEqual([]);
  });

  it('name no key by themselves: keys.ts does, for those that look at many sessions too', () => {
    const call = /redis\.call\('\w+',\s*['"]/;
    expect(linesThat((line) => call.test(line) && !/'TIME'|'PUBLISH'/.test(line), lua)).toEqual([]);
    const made = /['"]:|_prefix \.\./;
    const outside = lua.filter((file) => !/(channel|publish)/.test(file));
    expect(linesThat((line) => !/^\s*--/.test(line) && made.test(line), outside)).toEqual([]);
  });
});

describe('words', () => {
  const banned = ['manager', 'service', 'helper', 'handler', 'util', 'utils', 'common', 'impl'];
  const wordsOf = (name: string) =>
    name
      .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
      .toLowerCase()
      .split(/[^a-z]+/);
  const isBanned = (name: string) =>
    wordsOf(name).some((word) => banned.includes(word) || banned.includes(word.replace(/s$/, '')));

  it('that say nothing name no file and nothing that is exported', () => {
    const names = (file: string) =>
      [
        ...read(file).matchAll(
          /^export (?:\w+ )*?(?:const|function|class|type|interface|enum) (\w+)/gm,
        ),
      ]
        .map(([, name = '']) => name)
        .concat(file)
        .filter(isBanned)
        .map((name) => `${file}: ${name}`);
    expect([...source, ...tests, ...setUp, ...bench].flatMap(names)).toEqual([]);
  });

  it('promise no later work', () => {
    const promise = new RegExp(`\\b(${['TO', 'DO|FIX', 'ME|X', 'XX|HA', 'CK'].join('')})\\b`);
    expect(linesThat((line) => promise.test(line), code)).toEqual([]);
  });

  it('of schemas are those of packages/protocol/src/sentences.ts, which alone applies them', () => {
    const elsewhere = source.filter((file) => file !== 'packages/protocol/src/sentences.ts');
    expect(linesThat((line) => /\.safeParse\(/.test(line), elsewhere)).toEqual([]);
  });

  it('name no directory of the machine on which something was written', () => {
    const text = files.filter((file) => /\.(ts|mjs|lua|md|json|ya?ml|html)$/.test(file));
    const own = new RegExp(`(^|[\\s'"\`(=:])/${'(home|Users|root|work)'}/\\w`);
    expect(linesThat((line) => own.test(line), text)).toEqual([]);
    expect(linesThat((line) => /"resolved": "http/.test(line), ['package-lock.json'])).toEqual([]);
  });
});

const ids = (letter: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${letter}${index + 1}`);
const counts = { S: 5, L: 6, T: 8, E: 10, D: 9, P: 3, C: 4, X: 6, B: 1, M: 4 };
const ruleIds = new Set(Object.entries(counts).flatMap(([letter, count]) => ids(letter, count)));

/** The rules that a title begins with: `S1 S3 ...`, `D3, D5: ...`. */
function rulesOf(title: string): string[] {
  const head = /^(?:[A-Z]\d{1,2}(?:\s*[,/&]\s*|\s+|:|$))+/.exec(title)?.[0] ?? '';
  return (head.match(/[A-Z]\d{1,2}/g) ?? []).filter((id) => ruleIds.has(id));
}

/** Every title of a test file with a rule id, as `id file`. */
function titled(file: string): string[] {
  const titles = [...read(file).matchAll(/\(\s*(['"`])([A-Z]\d{1,2}\b[^\n]*?)\1/g)];
  return titles.flatMap(([, , title = '']) => rulesOf(title)).map((id) => `${id} ${file}`);
}

const testFiles = tests.filter(
  (file) => file.endsWith('.test.ts') && file !== 'tests/tidy.test.ts',
);

/** The parts of a document that begin with a heading and an id, and what stands in each. */
const sectionsOf = (file: string, heading: string) =>
  read(file)
    .split(new RegExp(`^${heading} (?=[A-Z]\\d{1,2}$)`, 'm'))
    .slice(1)
    .map((part) => ({ id: part.split('\n')[0] ?? '', text: part.split(/^#/m)[0] ?? '' }));

const rooms: Record<string, string> = {
  edge: 'apps/gateway/src/edge/',
  worker: 'apps/gateway/src/worker/',
  config: 'apps/gateway/src/config/',
  gateway: 'apps/gateway/src/',
  cli: 'apps/cli/src/',
};

/** `fence.lua`, `include/fence.lua`, `edge/abort`: the last is in the room `edge`, in whichever folder of it. */
function isSource(name: string): boolean {
  if (name.endsWith('.lua')) return files.includes(`packages/store/scripts/${name}`);
  const [room = '', ...rest] = name.split('/');
  const folder = rooms[room] ?? `packages/${room}/src/`;
  const end = `/${rest.join('/')}`;
  return files.some(
    (file) => file.startsWith(folder) && (file.endsWith(`${end}.ts`) || file.includes(`${end}/`)),
  );
}

describe('docs/internals/spec.md', () => {
  const rules = sectionsOf('docs/internals/spec.md', '###');
  const listed = sectionsOf('docs/internals/spec-tests.md', '##');

  it('has one section for every rule, and says what enforces it', () => {
    expect(rules.map(({ id }) => id).sort()).toEqual([...ruleIds].sort());
    expect(listed.map(({ id }) => id).sort()).toEqual([...ruleIds].sort());
    expect(rules.filter(({ text }) => !/^Enforced by: /m.test(text))).toEqual([]);
  });

  it('names files that exist', () => {
    const named = rules.flatMap(({ text }) => {
      const enforcedBy = text.slice(text.indexOf('Enforced by: '));
      return [...enforcedBy.matchAll(/`([\w-]+\/[\w/.-]+|[\w-]+\.lua)`/g)];
    });
    expect(named.length).toBeGreaterThan(100);
    expect(named.map(([, name = '']) => name).filter((name) => !isSource(name))).toEqual([]);
  });

  it('and the titles of the tests agree', () => {
    const tested = listed.flatMap(({ id, text }) =>
      [...text.matchAll(/^- `(.+)`$/gm)].map(([, file]) => `${id} ${file}`),
    );
    const found = [...new Set(testFiles.flatMap(titled))];
    expect({ listedButNotTested: tested.filter((it) => !found.includes(it)) }).toEqual({
      listedButNotTested: [],
    });
    expect({ testedButNotListed: found.filter((it) => !tested.includes(it)) }).toEqual({
      testedButNotListed: [],
    });
  });
});

describe('docs/glossary.md', () => {
  const rows = read('docs/glossary.md')
    .split('\n')
    .filter((line) => /^\| (?!term \||---)/.test(line))
    .map((line) => line.split(' | '));

  it('has four cells in each row, and names files that exist', () => {
    expect(rows.length).toBeGreaterThan(100);
    expect(rows.filter((cells) => cells.length !== 4).map(([term]) => term)).toEqual([]);
    const named = rows.flatMap((cells) => [...(cells[3] ?? '').matchAll(/`([^ `]+)`/g)]);
    expect(named.map(([, name = '']) => name).filter((name) => !isSource(name))).toEqual([]);
  });
});

describe('docs/operate/security.md', () => {
  const rows = read('docs/operate/security.md')
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) => line.split(' | ').map((cell) => cell.trim()))
    .filter((cells) => cells.length === 4 && cells[0] !== '| threat' && cells[0] !== '| ---');

  it('names rules and tests that exist', () => {
    expect(rows.length).toBeGreaterThan(20);
    const ids = rows.flatMap(([, , rule = '']) => rule.split(' ').filter(Boolean));
    expect(ids.filter((id) => !ruleIds.has(id))).toEqual([]);
    const named = rows.flatMap(([, , , cell = '']) => cell.match(/tests\/[\w./-]+/g) ?? []);
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((path) => !testFiles.includes(path))).toEqual([]);
  });
});

describe('docs/internals/faults.md', () => {
  const rows = read('docs/internals/faults.md')
    .split('\n')
    .filter((line) => /^\| (?!fault \||---)/.test(line))
    .map((line) => line.split(' | '));

  it('has four cells in each row', () => {
    expect(rows.filter((cells) => cells.length !== 4).map(([fault]) => fault)).toEqual([]);
  });

  it('names tests that exist, by file and title', () => {
    const named = rows.flatMap((cells) => [
      ...(cells[3] ?? '').matchAll(/`(tests\/[\w./-]+)`(?:: "([^"]+)")?/g),
    ]);
    const isThere = (file: string, title = '') =>
      files.includes(file) && read(file).replaceAll("\\'", "'").includes(title);
    const missing = named.filter(([, file = '', title]) => !isThere(file, title));
    expect(missing.map(([text]) => text)).toEqual([]);
  });
});
