import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { inRoot, root } from '../lib/paths.mjs';
import { tarOf } from './tar.mjs';

const git = (...args) =>
  execFileSync('git', args, { cwd: root, maxBuffer: 512 * 2 ** 20, timeout: 120_000 });

/** The commit as git has it, with the Dockerfile: it is also what the image is built from. */
export function archiveSource(out, { version, commit }) {
  const tar = git('archive', '--format=tar', `--prefix=sluice-${version}/`, commit);
  writeFileSync(join(out, `sluice-${version}-source.tar.gz`), gzipSync(tar, { level: 9 }));
}

/** As `helm package` lays it out. Values for tests (.helmignore) are left out. */
export function archiveChart(out, { version, time }) {
  const from = 'k8s/chart/';
  const names = git('ls-files', '--cached', '--others', '--exclude-standard', from);
  const files = names
    .toString()
    .split('\n')
    .filter((name) => name !== '' && !name.startsWith(`${from}ci/`))
    .sort()
    .map((name) => ({
      name: `sluice/${name.slice(from.length)}`,
      content: readFileSync(inRoot(name)),
    }));
  const tar = gzipSync(tarOf(files, time), { level: 9 });
  writeFileSync(join(out, `sluice-chart-${version}.tgz`), tar);
}
