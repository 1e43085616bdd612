import { readdirSync, readFileSync } from 'node:fs';
import { inRoot } from '../lib/paths.mjs';
import { output } from '../lib/processes.mjs';
import { SetupError, say } from '../lib/say.mjs';

const read = (...parts) => readFileSync(inRoot(...parts), 'utf8');
const firstOf = (text, pattern) => pattern.exec(text)?.[1] ?? 'none';

/** Every place that names the version; they must agree. */
function versions() {
  const manifests = ['packages', 'apps'].flatMap((dir) =>
    readdirSync(inRoot(dir)).map((name) => `${dir}/${name}/package.json`),
  );
  const chart = read('k8s', 'chart', 'Chart.yaml');
  return [
    ...manifests.map((file) => [file, JSON.parse(read(file)).version]),
    ['k8s/chart/Chart.yaml, version', firstOf(chart, /^version: (\S+)$/m)],
    ['k8s/chart/Chart.yaml, appVersion', firstOf(chart, /^appVersion: "(.+)"$/m)],
    ['Dockerfile', firstOf(read('Dockerfile'), /^ARG VERSION=(\S+)$/m)],
  ];
}

/** The text below `## <title>` of the CHANGELOG; undefined: there is no such section. */
function changesOf(title) {
  const [, ...sections] = read('CHANGELOG.md').split(/^## /m);
  const section = sections.find((text) => text.split('\n', 1)[0].split(' ')[0] === title);
  return section?.slice(section.indexOf('\n') + 1).trim();
}

/** What is released: version, commit, its time, and what has changed. Ends the run when that is not clear. */
export function stateOf({ dry }) {
  const { version } = JSON.parse(read('package.json'));
  const others = versions().filter(([, is]) => is !== version);
  if (others.length > 0) {
    const list = others.map(([place, is]) => `${place} has ${is}`).join(', ');
    throw new SetupError(`package.json has version ${version}, but ${list}`, 1);
  }
  const commit = output('git', ['rev-parse', 'HEAD']);
  const seconds = output('git', ['log', '-1', '--format=%ct']);
  if (!commit || !seconds) throw new SetupError('this is no clone of git with a commit', 1);
  const isChanged = output('git', ['status', '--porcelain'], 60_000) !== '';
  if (isChanged && !dry) {
    throw new SetupError('the work tree has changes: commit them, or give --dry', 1);
  }
  if (isChanged) say('the work tree has changes: the source archive has those that are committed');
  const next = changesOf('Next');
  if (next && !dry) {
    throw new SetupError(`CHANGELOG.md has changes below "Next": call it "${version}"`, 1);
  }
  const changes = next || changesOf(version);
  if (!changes) throw new SetupError(`CHANGELOG.md has no section "## ${version}"`, 1);
  return { version, name: `sluice ${version}`, commit, isChanged, time: Number(seconds), changes };
}
