import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { FrameClient, startGateway, startRedis } from '@sluice/testkit';

const tarModule = new URL('../../scripts/release/tar.mjs', import.meta.url).href;
const { tarOf } = await import(tarModule);
const { version } = JSON.parse(readFileSync('package.json', 'utf8'));

function release(out: string) {
  const args = ['scripts/release.mjs', '--dry', '--out', out];
  return spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 240_000 });
}

/** What a package holds, in a folder as npm would install it. */
function unpack(tarball: string, dir: string): string {
  mkdirSync(dir, { recursive: true });
  execFileSync('tar', ['-xzf', tarball, '-C', dir, '--strip-components=1'], { timeout: 60_000 });
  return dir;
}

describe('npm run release -- --dry', () => {
  const root = mkdtempSync(join(tmpdir(), 'sluice-release-'));
  const [first, second] = [join(root, 'first'), join(root, 'second')];
  const modules = join(root, 'node_modules');
  const at = (name: string) => join(first, name);
  let said: ReturnType<typeof release>[] = [];
  beforeAll(() => {
    said = [release(first), release(second)];
    // The one library that is installed beside the program.
    mkdirSync(modules);
    symlinkSync(resolve('node_modules/uWebSockets.js'), join(modules, 'uWebSockets.js'));
  }, 500_000);
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it('makes every file, and says which are not', () => {
    expect(said.map(({ status, stderr }) => [status, status === 0 ? '' : stderr])).toEqual([
      [0, ''],
      [0, ''],
    ]);
    const image = `sluice-image-${version}.tar`;
    const isBuilt = existsSync(at(image));
    expect(said[0]?.stderr).toMatch(isBuilt ? /nothing was published/ : /the image is not built/);
    expect(readdirSync(first).filter((file) => file !== image)).toEqual([
      ...['RELEASE_NOTES.md', 'SHA256SUMS', 'THIRD_PARTY_NOTICES', 'sbom.cdx.json'],
      ...[`sluice-${version}-source.tar.gz`, `sluice-${version}.tgz`],
      ...[`sluice-chart-${version}.tgz`, `sluice-protocol-${version}.tgz`],
    ]);
    expect(readFileSync(at('RELEASE_NOTES.md'), 'utf8')).toMatch(/^# sluice \d/);
  });

  it('gives the same checksums twice, and they are those of the files', () => {
    const sumsOf = (dir: string) =>
      readFileSync(join(dir, 'SHA256SUMS'), 'utf8')
        .split('\n')
        .filter((line) => line !== '' && !line.includes('sluice-image-'));
    const sums = sumsOf(first);
    expect(sumsOf(second)).toEqual(sums);
    for (const line of sums) {
      const [sum, name = ''] = line.split('  ');
      const hash = createHash('sha256')
        .update(readFileSync(at(name)))
        .digest('hex');
      expect([name, hash]).toEqual([name, sum]);
    }
    expect(sums).toHaveLength(7);
  });

  it('packs a program that runs without this repository, agents of modules included', async () => {
    const dir = unpack(at(`sluice-${version}.tgz`), join(modules, 'sluice'));
    const manifest = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'));
    expect(Object.keys(manifest.dependencies)).toEqual(['uWebSockets.js']);
    expect(manifest.private).toBeUndefined();
    const bin = join(dir, 'bin', 'sluice');
    const help = spawnSync(process.execPath, [bin, '--version'], { encoding: 'utf8', cwd: dir });
    expect(help.stdout.trim()).toBe(version);
    const redis = await startRedis();
    const gateway = await startGateway({
      bin,
      redisUrl: redis.url,
      config: { agents: { echo: { kind: 'echo' } } },
    });
    expect((await fetch(`${gateway.url}/`)).status).toBe(200); // the chat page is there too
    const client = await FrameClient.connect(gateway.wsUrl);
    await client.hello({ agent_id: 'echo' });
    expect(await client.final(client.message('hello'))).toMatchObject({
      outcome: { status: 'ok' },
    });
    await client.close();
    await gateway.kill();
    const runner = join(dir, 'packages/agents/dist/command/module-process.js');
    const agent = resolve('k8s/recipes/own-agent/agents/mine.mjs');
    const turn = { type: 'turn', turn_id: 't1', message_id: 'm1', content: 'hello' };
    const child = spawn(process.execPath, [runner, agent], { timeout: 20_000 });
    child.stdin.write(`${JSON.stringify(turn)}\n`);
    const lines = createInterface({ input: child.stdout });
    let final = '';
    for await (const line of lines) {
      if (!line.includes('"final"')) continue;
      final = line;
      child.stdin.end(); // it ends with its input
    }
    expect(final).toContain('You said hello');
  }, 90_000);

  it('packs the schemas of the frames, which decode as those of this repository', async () => {
    const dir = unpack(at(`sluice-protocol-${version}.tgz`), join(modules, '@sluice/protocol'));
    symlinkSync(resolve('node_modules/zod'), join(modules, 'zod'));
    const script = `import { decode } from '@sluice/protocol';
      process.stdout.write(decode('{"type":"message","content":"hi"}').kind);`;
    const args = ['--input-type=module', '--eval', script];
    const ran = spawnSync(process.execPath, args, { encoding: 'utf8', cwd: dir, timeout: 20_000 });
    expect(ran).toMatchObject({ status: 0, stdout: 'frame' });
    expect(existsSync(join(dir, 'dist/index.d.ts'))).toBe(true);
  });

  it('archives the commit with its Dockerfile, and the chart as Helm unpacks it', () => {
    const source = unpack(at(`sluice-${version}-source.tar.gz`), join(root, 'source'));
    for (const file of ['Dockerfile', 'package-lock.json', 'scripts/image-tree.mjs', 'LICENSE']) {
      expect(existsSync(join(source, file))).toBe(true);
    }
    const chart = unpack(at(`sluice-chart-${version}.tgz`), join(root, 'chart'));
    for (const file of ['values.yaml', 'values.schema.json', 'templates/deployment.yaml']) {
      expect(readFileSync(join(chart, file), 'utf8')).toBe(
        readFileSync(`k8s/chart/${file}`, 'utf8'),
      );
    }
    expect(existsSync(join(chart, 'ci'))).toBe(false);
  });

  it('refuses an option that it does not know', () => {
    const wrong = spawnSync(process.execPath, ['scripts/release.mjs', '--publish'], {
      encoding: 'utf8',
    });
    expect(wrong).toMatchObject({ status: 2, stderr: expect.stringContaining('--publish') });
  });

  it('writes a tar that tar reads', () => {
    const files = [
      { name: 'a/one.txt', content: Buffer.from('one\n') },
      { name: 'a/b/none', content: Buffer.alloc(0) },
      { name: 'a/large', content: Buffer.alloc(1_025, 'x') },
    ];
    const input = tarOf(files, 1_700_000_000);
    expect(input.length % 512).toBe(0);
    const listed = execFileSync('tar', ['-tvf', '-'], {
      input,
      encoding: 'utf8',
      env: { ...process.env, TZ: 'UTC' },
    });
    expect(listed).toMatch(
      /0\/0 +4 2023-11-14 22:13 a\/one\.txt\n.* 0 .*a\/b\/none\n.* 1025 .*a\/large\n$/,
    );
    expect(() => tarOf([{ name: 'x'.repeat(101), content: Buffer.alloc(1) }], 0)).toThrow(/longer/);
  });
});
