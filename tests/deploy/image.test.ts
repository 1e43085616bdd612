import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';

const read = (file: string) => readFileSync(file, 'utf8');
const instructions = read('Dockerfile')
  .replaceAll('\\\n', '')
  .split('\n')
  .filter((line) => /^[A-Z]+ /.test(line));

describe('what the image runs with', () => {
  it('THIRD_PARTY_NOTICES is that of the production dependencies: npm run notices writes it', () => {
    const check = spawnSync(process.execPath, ['scripts/notices.mjs', '--check'], {
      encoding: 'utf8',
    });
    expect({ status: check.status, said: check.stderr }).toEqual({ status: 0, said: '' });
  });

  it('documents agree on its size above the base', () => {
    const named = readdirSync('docs', { encoding: 'utf8', recursive: true })
      .filter((file) => file.endsWith('.md'))
      .flatMap((file) =>
        [...read(`docs/${file}`).matchAll(/([\d.]+) MB (?:on top of|to node)/g)].map(([, mb]) =>
          Math.round(Number(mb)),
        ),
      );
    expect(named.length).toBeGreaterThan(2);
    expect([...new Set(named)]).toHaveLength(1);
  });

  it('the bill of materials names the same packages, and our own', () => {
    const text = execFileSync(process.execPath, ['scripts/sbom.mjs'], { encoding: 'utf8' });
    const bom = z.object({
      components: z.array(z.looseObject({ 'bom-ref': z.string() })),
      dependencies: z.array(z.object({ ref: z.string(), dependsOn: z.array(z.string()) })),
    });
    const { components, dependencies } = bom.parse(JSON.parse(text));
    const refs = components.map((it) => it['bom-ref']);
    const [list = ''] = read('THIRD_PARTY_NOTICES').split(/^-{80}$/m);
    const noticed = [...list.matchAll(/^(\S+) (\d\S*)$/gm)].map(([, name, at]) => `${name}@${at}`);
    expect(noticed).toContainEqual(expect.stringMatching('^uwebsockets@'));
    const own = ['agents', 'cli', 'gateway', 'protocol', 'runtime', 'store'];
    expect(refs.filter((ref) => !ref.startsWith('@sluice/')).sort()).toEqual(noticed.sort());
    for (const name of own) expect(refs).toContainEqual(expect.stringMatching(`^@sluice/${name}@`));
    const loose = dependencies.flatMap((it) => it.dependsOn).filter((ref) => !refs.includes(ref));
    expect(loose).toEqual([]);
  });

  it('is put together without tests, sources and declarations', () => {
    const dir = mkdtempSync(join(tmpdir(), 'sluice-image-'));
    try {
      execFileSync(process.execPath, ['scripts/image-tree.mjs', dir]);
      const files = readdirSync(dir, { recursive: true, encoding: 'utf8' });
      expect(files).toEqual(
        expect.arrayContaining([
          'bin/sluice',
          'package.json',
          'LICENSE',
          'THIRD_PARTY_NOTICES',
          'apps/cli/dist/program/main.js',
          'apps/gateway/data/weak-secrets.txt',
          'apps/gateway/public/index.html',
          'packages/store/scripts/turn-commit.lua',
        ]),
      );
      expect(files.filter((file) => /testkit|\.ts$|\.map$|tsbuildinfo/.test(file))).toEqual([]);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

describe('Dockerfile', () => {
  it('needs nothing that the older builder lacks', () => {
    expect(read('Dockerfile')).not.toMatch(/^# *syntax *=|--mount|<</m);
  });

  it('D7 the node is process 1 without a shell, and not root', () => {
    expect(instructions).toContain('ENTRYPOINT ["node", "/sluice/bin/sluice"]');
    expect(instructions).toContain('USER 1000:1000');
    expect(instructions.at(-1)).toBe('CMD ["start"]');
  });

  it('B1 gives the memory of large messages back to the system as soon as it is free', () => {
    const [environment] = instructions.filter((line) => line.startsWith('ENV ')).slice(-1);
    expect(environment?.split(' ')).toContain('MALLOC_MMAP_THRESHOLD_=131072');
  });

  it('bears the version of the release', () => {
    const { version } = z.object({ version: z.string() }).parse(JSON.parse(read('package.json')));
    expect(instructions).toContain(`ARG VERSION=${version}`);
  });

  it('takes from the context only what .dockerignore lets in', () => {
    const lines = read('.dockerignore').split('\n');
    const allowed = lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
    const copied = instructions
      .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
      .flatMap((line) => line.split(' ').slice(1, -1))
      .filter((path) => path !== '.');
    expect(copied.length).toBeGreaterThan(3);
    expect(copied.filter((path) => !allowed.includes(path))).toEqual([]);
    for (const path of allowed) expect(() => readFileSync(path)).not.toThrow(/ENOENT/);
  });
});
