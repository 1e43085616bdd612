import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inRoot } from '../lib/paths.mjs';
import { run } from '../lib/processes.mjs';
import { SetupError } from '../lib/say.mjs';

const manifestOf = (...parts) => JSON.parse(readFileSync(inRoot(...parts, 'package.json'), 'utf8'));

/** In the places where they look for one another. The libraries are in the program; the native one is installed. */
const programFiles = [
  ...['bin', 'LICENSE', 'THIRD_PARTY_NOTICES', 'supply-chain', 'apps/cli/package.json'],
  ...[
    'apps/cli/dist/program',
    'apps/gateway/public',
    'apps/gateway/data',
    'packages/store/scripts',
  ],
];
const native = 'uWebSockets.js';
/** The process of an agent module is one that runs apart, so it has its libraries in itself. */
const runner = join('packages', 'agents', 'dist', 'command', 'module-process.js');

const isForReaders = (file) => /\.(map|tsbuildinfo)$/.test(file);

function fill(dir, files) {
  for (const [from, to] of files) {
    if (!existsSync(inRoot(from))) throw new SetupError(`${from} is missing`, 1);
    const filter = (file) => !isForReaders(file);
    cpSync(inRoot(from), join(dir, to), { recursive: true, filter });
  }
}

function describe(dir, { private: _, workspaces: _w, scripts: _s, devDependencies: _d, ...kept }) {
  writeFileSync(join(dir, 'package.json'), `${JSON.stringify(kept, null, 2)}\n`);
}

async function stageProgram(dir) {
  fill(
    dir,
    programFiles.map((file) => [file, file]),
  );
  const { build } = await import('esbuild');
  await build({
    entryPoints: [inRoot(runner)],
    outfile: join(dir, runner),
    ...{ bundle: true, platform: 'node', format: 'esm', target: 'node20', logLevel: 'warning' },
    legalComments: 'none',
  });
  const version = manifestOf('apps', 'gateway').dependencies[native];
  describe(dir, {
    ...manifestOf(),
    files: ['apps', 'bin', 'packages', 'supply-chain', 'THIRD_PARTY_NOTICES'],
    dependencies: { [native]: version },
  });
}

function stageProtocol(dir) {
  fill(dir, [
    ['packages/protocol/dist', 'dist'],
    ['LICENSE', 'LICENSE'],
    ['docs/reference/frames.schema.json', 'frames.schema.json'],
  ]);
  const { dependencies, ...kept } = manifestOf('packages', 'protocol');
  describe(dir, {
    ...kept,
    license: manifestOf().license,
    files: ['dist', 'frames.schema.json'],
    dependencies,
  });
}

/**
 * The packages that are meant for npm: `sluice`, the program with its libraries, and `@sluice/protocol`, the schemas of
 * the frames for clients. The other workspaces are parts of the program and promise nothing to anybody.
 */
export async function packPrograms(out, stage) {
  for (const [name, make] of [
    ['sluice', stageProgram],
    ['protocol', stageProtocol],
  ]) {
    const dir = join(stage, name);
    mkdirSync(dir);
    await make(dir);
    const args = ['pack', dir, '--silent', '--ignore-scripts', '--pack-destination', out];
    if ((await run('npm', args)) !== 0) throw new SetupError(`npm pack of ${name} failed`, 1);
  }
}
