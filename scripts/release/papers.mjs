import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inRoot, root } from '../lib/paths.mjs';
import { SetupError } from '../lib/say.mjs';

const script = (name, ...args) =>
  execFileSync(process.execPath, [inRoot('scripts', name), ...args], {
    ...{ cwd: root, encoding: 'utf8', maxBuffer: 64 * 2 ** 20, timeout: 120_000 },
    stdio: ['ignore', 'pipe', 'inherit'],
  });

/** The list of packages, with the time of the commit; its number is optional and would be another each time. */
export function writeBom(out, { time }) {
  const { serialNumber: _, ...bom } = JSON.parse(script('sbom.mjs'));
  bom.metadata.timestamp = new Date(time * 1_000).toISOString();
  writeFileSync(join(out, 'sbom.cdx.json'), `${JSON.stringify(bom, null, 2)}\n`);
}

export function writeNotices(out) {
  try {
    script('notices.mjs', '--check');
  } catch {
    throw new SetupError('THIRD_PARTY_NOTICES is out of date: run npm run notices', 1);
  }
  copyFileSync(inRoot('THIRD_PARTY_NOTICES'), join(out, 'THIRD_PARTY_NOTICES'));
}

const about = [
  [/^sluice-\d.*(?<!source)\.tgz$/, 'the program, for npm'],
  [/^sluice-protocol-/, 'the schemas of the frames, for npm'],
  [/^sluice-chart-/, 'the Helm chart'],
  [/source\.tar\.gz$/, 'the source; the image is built from it'],
  [/^sluice-image-/, 'the image, for `docker load`'],
  [/^sbom/, 'the packages in it (CycloneDX)'],
  [/^THIRD_PARTY/, 'their licences'],
];

export function writeNotes(out, { name, commit, isChanged, changes }) {
  const files = readdirSync(out)
    .sort()
    .map(
      (file) => `- \`${file}\`: ${about.find(([pattern]) => pattern.test(file))?.[1] ?? 'other'}`,
    );
  const from = `Commit ${commit}${isChanged ? ', with changes that are not committed' : ''}.`;
  const text = `# ${name}\n\n${from}\n\n## Changes\n\n${changes}\n\n## Files\n\n${files.join('\n')}\n\n    sha256sum --check SHA256SUMS\n`;
  writeFileSync(join(out, 'RELEASE_NOTES.md'), text);
}

/** Writes SHA256SUMS of all files; returns its lines. */
export function writeSums(out) {
  const lines = readdirSync(out)
    .sort()
    .map((file) => {
      const hash = createHash('sha256').update(readFileSync(join(out, file)));
      return `${hash.digest('hex')}  ${file}`;
    });
  writeFileSync(join(out, 'SHA256SUMS'), `${lines.join('\n')}\n`);
  return lines;
}
