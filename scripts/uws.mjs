/**
 * `npm run uws -- v20.x.y`: puts the release of the authors of uWebSockets.js in the place of the republication,
 * after each of its files that runs was found in supply-chain/uwebsockets.sha256. Instead of a tag: a URL, or a
 * tarball on this machine. `--list` writes what is not listed to the list, and installs nothing. `npm ci` brings
 * the republication back. For trying out: `--sums FILE` is another list, `--into DIR` another place.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { inRoot } from './lib/paths.mjs';
import { SetupError, say } from './lib/say.mjs';

/** A release has libraries for all platforms: about 100 MB. */
const FETCH_LIMIT_MS = 10 * 60_000;

const refusedStatus = 1;
const ownLibrary = `uws_${process.platform}_${process.arch}_${process.versions.modules}.node`;
const isRun = (name) => /\.node$|^uws\.js$|^ESM_wrapper\.mjs$/.test(name);

/** The tarball as a file: fetched into `dir`, unless it is one already. */
async function fetchTarball(source, dir) {
  if (existsSync(source)) return source;
  const url = /^https?:/.test(source)
    ? source
    : `https://github.com/uNetworking/uWebSockets.js/archive/refs/tags/${source}.tar.gz`;
  const file = join(dir, 'release.tar.gz');
  try {
    const reply = await fetch(url, { signal: AbortSignal.timeout(FETCH_LIMIT_MS) });
    if (!reply.ok) throw new Error(`the server answers ${reply.status}`);
    writeFileSync(file, new Uint8Array(await reply.arrayBuffer()));
    return file;
  } catch (error) {
    throw new SetupError(
      `${url} could not be fetched: ${error.cause?.message || error.message}. What is installed stays. ` +
        'Where another machine can fetch it, name the file: npm run uws -- FILE',
    );
  }
}

/** What the tarball holds, without its outer folder. */
function unpack(file, dir) {
  const release = join(dir, 'release');
  mkdirSync(release);
  const args = ['-xzf', file, '-C', release, '--strip-components=1'];
  const { status, stderr, error } = spawnSync('tar', args, { encoding: 'utf8' });
  if (status !== 0) {
    const why = error?.message ?? stderr.trim().split('\n')[0];
    throw new SetupError(`${file} could not be unpacked: ${why}`, refusedStatus);
  }
  return release;
}

/** Lines of `sha256sum`, of the files that run. */
const sumsOf = (release) =>
  readdirSync(release)
    .filter(isRun)
    .sort()
    .map((name) => {
      const sum = createHash('sha256').update(readFileSync(join(release, name)));
      return `${sum.digest('hex')}  ${name}`;
    });

/** Only of a release whose files are listed: their code runs here. */
function mustLoad(release) {
  const args = ['-e', 'require(process.argv[1])', join(release, 'uws.js')];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status === 0) return;
  const why = stderr.split('\n').find((line) => line.startsWith('Error: /')) ?? stderr.trim();
  throw new SetupError(`${ownLibrary} does not load here: ${why}`, refusedStatus);
}

function install(release, target) {
  const beside = `${target}.new`;
  rmSync(beside, { recursive: true, force: true });
  cpSync(release, beside, { recursive: true });
  rmSync(target, { recursive: true, force: true });
  renameSync(beside, target);
}

async function replace(source, { list, sums, into }, dir) {
  const release = unpack(await fetchTarball(source, dir), dir);
  const lines = sumsOf(release);
  if (!lines.some((line) => line.endsWith(`  ${ownLibrary}`))) {
    throw new SetupError(`${source} has no library for this Node: ${ownLibrary}`, refusedStatus);
  }
  const listed = new Set(readFileSync(sums, 'utf8').split('\n'));
  const unlisted = lines.filter((line) => !listed.has(line));
  if (list) {
    if (unlisted.length > 0) appendFileSync(sums, `# ${source}\n${lines.join('\n')}\n`);
    return `${source}: ${lines.length} files, ${unlisted.length} of them new in ${sums}; nothing was installed`;
  }
  for (const line of unlisted) say(`not listed: ${line}`);
  if (unlisted.length > 0) {
    throw new SetupError(
      `${unlisted.length} of ${lines.length} files of ${source} are not in ${sums}: nothing was ` +
        'installed; docs/internals/supply-chain.md says how a release is listed',
      refusedStatus,
    );
  }
  mustLoad(release);
  install(release, into);
  return `${source}: ${lines.length} files, all of them listed, are installed in ${into}`;
}

const dir = mkdtempSync(join(tmpdir(), 'sluice-uws-'));
try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      list: { type: 'boolean', default: false },
      sums: { type: 'string', default: inRoot('supply-chain', 'uwebsockets.sha256') },
      into: { type: 'string', default: inRoot('node_modules', 'uWebSockets.js') },
    },
  });
  const [source] = positionals;
  if (!source) throw new SetupError('name a release: npm run uws -- v20.x.y', refusedStatus);
  say(await replace(source, values, dir));
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(`npm run uws: ${error.message}`);
  process.exitCode = error.status;
} finally {
  rmSync(dir, { recursive: true, force: true });
}
