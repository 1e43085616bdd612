import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { inRoot } from './paths.mjs';

const entry = inRoot('apps', 'cli', 'dist', 'main.js');
/** Where `bin/sluice` finds the program. */
const programDir = inRoot('apps', 'cli', 'dist', 'program');
const program = join(programDir, 'main.js');

/** The files that tsc wrote, of all workspaces. */
function builtFiles() {
  return ['packages', 'apps'].flatMap((dir) =>
    readdirSync(inRoot(dir))
      .map((name) => inRoot(dir, name, 'dist'))
      .filter(existsSync)
      .flatMap((dist) =>
        readdirSync(dist, { recursive: true })
          .map((name) => join(dist, name))
          .filter((file) => file.endsWith('.js') && !file.startsWith(programDir)),
      ),
  );
}

/** Whether the program is there, and newer than all it is made of. */
function isFresh() {
  if (!existsSync(program)) return false;
  const { mtimeMs } = statSync(program);
  return [inRoot('package-lock.json'), ...builtFiles()].every(
    (file) => statSync(file).mtimeMs <= mtimeMs,
  );
}

/** Our modules find their files (scripts, pages, lists) beside themselves, also from within the program. */
const ownPlaces = {
  name: 'own places',
  setup(build) {
    build.onLoad({ filter: /[/\\](apps|packages)[/\\]\w+[/\\]dist[/\\].*\.js$/ }, ({ path }) => {
      const place = JSON.stringify(relative(programDir, path));
      const text = readFileSync(path, 'utf8');
      return {
        contents: text.replaceAll('import.meta.url', `new URL(${place}, import.meta.url).href`),
      };
    });
  },
};

/**
 * uWebSockets.js is a native library, which is checked where it lies: the program requires it, in the order of the
 * imports. An external import would come before all modules, also before the one that sets the library's environment.
 */
const nativeLibrary = {
  name: 'native library',
  setup(build) {
    const library = 'uWebSockets.js';
    build.onResolve({ filter: /^uWebSockets\.js$/ }, ({ kind }) =>
      kind === 'require-call'
        ? { path: library, external: true }
        : { path: library, namespace: 'native' },
    );
    build.onLoad({ filter: /.*/, namespace: 'native' }, () => ({
      contents: `module.exports = require('${library}');`,
    }));
  },
};

/** What packages in CommonJS find in a module of their own. */
const banner = `import { createRequire as makeRequire } from 'node:module';
import { fileURLToPath as toPath } from 'node:url';
const require = makeRequire(import.meta.url);
const __filename = toPath(import.meta.url), __dirname = toPath(new URL('.', import.meta.url));`;

/**
 * Puts `sluice` and the packages it uses into a few files: a node that loads 1,441 modules one by one spends
 * 0.5 s of processor time on it at each start (ADR 25). What only some nodes need stays in files of its own. Does
 * nothing when the program is newer than its parts.
 */
export async function ensureProgram() {
  if (isFresh()) return;
  const { build } = await import('esbuild');
  const { outputFiles } = await build({
    entryPoints: [entry],
    outdir: programDir,
    write: false,
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    chunkNames: '[hash]',
    legalComments: 'none', // THIRD_PARTY_NOTICES has them
    banner: { js: banner },
    plugins: [ownPlaces, nativeLibrary],
    logLevel: 'warning',
  });
  replace(outputFiles);
}

/** The names of the parts are hashes of what they hold: `main.js` changes in one step from the old ones to the new. */
function replace(files) {
  mkdirSync(programDir, { recursive: true });
  for (const { path, contents } of files) {
    const next = path === program ? `${path}.next` : path;
    writeFileSync(next, contents);
  }
  renameSync(`${program}.next`, program);
  const kept = files.map(({ path }) => path);
  for (const name of readdirSync(programDir)) {
    if (!kept.includes(join(programDir, name))) rmSync(join(programDir, name), { force: true });
  }
}
