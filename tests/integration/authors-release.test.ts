import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { freePort, startChild } from '@sluice/testkit';

const library = `uws_${process.platform}_${process.arch}_${process.versions.modules}.node`;
const republication = 'node_modules/uWebSockets.js';
const list = 'supply-chain/uwebsockets.sha256';

let dir: string;
let into: string;
let served: Buffer | undefined;

const server = createServer((_, reply) => {
  reply.writeHead(served ? 200 : 404).end(served);
});
beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve())));
afterAll(() => new Promise<void>((resolve) => server.close(() => resolve())));

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-uws-test-'));
  into = join(dir, 'installed');
  mkdirSync(into);
  writeFileSync(join(into, 'republication'), '');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** A release as GitHub serves it: one folder, one library, what loads it. */
function makeRelease(change: (folder: string) => void = () => {}): void {
  const folder = join(dir, 'uWebSockets.js-20.x.y');
  mkdirSync(folder);
  for (const name of [library, 'uws.js', 'ESM_wrapper.mjs', 'package.json']) {
    copyFileSync(join(republication, name), join(folder, name));
  }
  change(folder);
  const file = join(dir, 'release.tar.gz');
  execFileSync('tar', ['-czf', file, '-C', dir, 'uWebSockets.js-20.x.y']);
  served = readFileSync(file);
}

const url = () => {
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/v20.x.y.tar.gz`;
};

async function uws(...args: string[]): Promise<{ status: unknown; said: string }> {
  const child = startChild(process.execPath, ['scripts/uws.mjs', '--into', into, ...args]);
  const ended = new Promise((resolve) => child.once('close', resolve));
  const said = await text(child.stderr);
  return { status: await ended, said };
}

describe('npm run uws', () => {
  it('puts a release in the place of the republication when all of its files are listed', async () => {
    makeRelease();
    expect(await uws(url())).toEqual({
      status: 0,
      said: expect.stringContaining('3 files, all of them listed, are installed'),
    });
    expect(readdirSync(into).sort()).toEqual(
      ['ESM_wrapper.mjs', 'package.json', 'uws.js', library].sort(),
    );
  });

  const changed = (folder: string) => appendFileSync(join(folder, library), 'x');

  it('installs nothing when one byte of a library is another, and names the library', async () => {
    makeRelease(changed);
    expect(await uws(url())).toEqual({
      status: 1,
      said: expect.stringMatching(new RegExp(`^not listed: \\w{64}  ${library}$`, 'm')),
    });
    expect(readdirSync(into)).toEqual(['republication']);
  });

  it('lists a release that is to be trusted, and installs it from then on', async () => {
    makeRelease(changed);
    const sums = join(dir, 'sums');
    copyFileSync(list, sums);
    expect(await uws(url(), '--sums', sums, '--list')).toMatchObject({ status: 0 });
    expect(readdirSync(into)).toEqual(['republication']);
    const [, part = ''] = readFileSync(sums, 'utf8').split(`# ${url()}\n`);
    expect(part.match(/^\w{64} {2}\S+$/gm)).toHaveLength(3);
    expect(await uws(url(), '--sums', sums)).toMatchObject({ status: 0 });
    expect(readdirSync(into)).toContain(library);
  });

  it('installs nothing when the library is listed and does not load', async () => {
    makeRelease((folder) => writeFileSync(join(folder, library), 'no library'));
    const sums = join(dir, 'sums');
    writeFileSync(sums, '');
    await uws(url(), '--sums', sums, '--list');
    expect(await uws(url(), '--sums', sums)).toEqual({
      status: 1,
      said: expect.stringContaining(`${library} does not load here: Error: `),
    });
    expect(readdirSync(into)).toEqual(['republication']);
  });

  it('says so when the release has no library for this Node', async () => {
    makeRelease((folder) => rmSync(join(folder, library)));
    expect(await uws(url())).toEqual({
      status: 1,
      said: expect.stringContaining(`has no library for this Node: ${library}`),
    });
  });

  it('takes a tarball that was fetched elsewhere', async () => {
    makeRelease();
    expect(await uws(join(dir, 'release.tar.gz'))).toMatchObject({ status: 0 });
    expect(readdirSync(into)).toContain(library);
  });

  it('says what to do when the release cannot be fetched, and leaves what is installed', async () => {
    served = undefined;
    const closed = `http://127.0.0.1:${await freePort()}/v20.x.y.tar.gz`;
    for (const [from, why] of [
      [url(), 'the server answers 404'],
      [closed, 'connect ECONNREFUSED'],
    ] as const) {
      const { status, said } = await uws(from);
      expect({ status, said }).toEqual({
        status: 69,
        said: expect.stringContaining(`${from} could not be fetched: ${why}`),
      });
      expect(said).toContain('What is installed stays.');
    }
    expect(readdirSync(into)).toEqual(['republication']);
  });
});
