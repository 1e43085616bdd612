/** The chart as helm renders it; without the program, as Go's templates with Sprig's functions do. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Manifest, parseManifests } from './manifests.js';

const chart = join('k8s', 'chart');
/** Where Debian's packages of Go libraries are. */
const GOPATH = '/usr/share/gocode';
const libraries = ['Masterminds/sprig', 'ghodss/yaml'];
const options = { encoding: 'utf8', timeout: 120_000 } as const;

type Renderer = { readonly name: string; args(files: readonly string[]): readonly string[] };

const named = (files: readonly string[]) => files.map((file) => join(chart, file));

function findHelm(): Renderer | undefined {
  const name = process.env.SLUICE_HELM ?? 'helm';
  if (spawnSync(name, ['version'], options).status !== 0) return undefined;
  const values = (files: readonly string[]) => named(files).flatMap((file) => ['--values', file]);
  return {
    name,
    args: (files) => ['template', 'sluice', chart, '--namespace', 'sluice', ...values(files)],
  };
}

function buildRenderer(): Renderer | undefined {
  const isThere = (library: string) => existsSync(join(GOPATH, 'src/github.com', library));
  if (!libraries.every(isThere)) return undefined;
  const name = join(mkdtempSync(join(tmpdir(), 'sluice-chart-')), 'render');
  const env = { ...process.env, GO111MODULE: 'off', GOPATH, GOFLAGS: '' };
  const source = 'tests/deploy/chart-render/main.go';
  const built = spawnSync('go', ['build', '-o', name, source], { ...options, env });
  if (built.status !== 0) throw new Error(`go build ${source}: ${built.error ?? built.stderr}`);
  return { name, args: (files) => [chart, 'sluice', 'sluice', ...named(files)] };
}

/** Undefined if this machine has neither: tests that render are skipped, and one line says so. */
export const renderer = findHelm() ?? buildRenderer();
if (!renderer) {
  process.stderr.write(
    'neither helm nor Go with the libraries of tests/deploy/chart-render was found: the chart is not rendered\n',
  );
}

/** The manifests with these files of values, paths below k8s/chart. Throws what the renderer refuses. */
export function renderChart(files: readonly string[]): Manifest[] {
  if (!renderer) throw new Error('there is no renderer');
  const text = execFileSync(renderer.name, renderer.args(files), { ...options, stdio: 'pipe' });
  return parseManifests(text);
}
