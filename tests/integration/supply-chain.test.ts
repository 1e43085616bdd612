import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { judgeLibrary } from '@sluice/cli';
import { startGateway, startRedis } from '@sluice/testkit';

const list = readFileSync('supply-chain/uwebsockets.sha256', 'utf8');
const installed = 'node_modules/uWebSockets.js';
const ownLibrary = join(
  installed,
  `uws_${process.platform}_${process.arch}_${process.versions.modules}.node`,
);
const dir = mkdtempSync(join(tmpdir(), 'sluice-native-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const lineOf = (file: string) => {
  const sum = createHash('sha256').update(readFileSync(file)).digest('hex');
  return `${sum}  ${basename(file)}`;
};

/** The native libraries of uWebSockets.js in the memory of a process, as the kernel lists them. */
const mapped = (pid: number) => [
  ...new Set(readFileSync(`/proc/${pid}/maps`, 'utf8').match(/\/\S*\/uws_\S+\.node$/gm)),
];

describe('the native library of uWebSockets.js', () => {
  it('is one of the list, whichever platform it is for, and so is the JavaScript beside it', () => {
    const files = readdirSync(installed).filter((name) => /\.(node|js|mjs)$/.test(name));
    const lines = files.map((name) => lineOf(join(installed, name)));
    // One part for each release that may be installed; a comment says which.
    const parts = list.split(/^# .*\n/m).map((part) => part.trim().split('\n').sort());
    expect(parts).toContainEqual(lines.sort());
  });

  const onLinux = existsSync('/proc/self/maps') ? it : it.skip;
  onLinux('is in the list as a running node has it in its memory', async () => {
    const redis = await startRedis();
    const { pid } = await startGateway({ redisUrl: redis.url });
    const files = mapped(pid);
    expect(files).toHaveLength(1);
    expect(list.split('\n')).toContain(lineOf(files[0] ?? ''));
  });

  it('is refused when one byte of it differs', () => {
    const copy = join(dir, basename(ownLibrary));
    copyFileSync(ownLibrary, copy);
    expect(judgeLibrary(copy, list)).toMatchObject({ status: 'ok' });
    const bytes = readFileSync(copy);
    const at = Math.floor(bytes.length / 2);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(copy, bytes);
    expect(judgeLibrary(copy, list)).toMatchObject({
      status: 'FAIL',
      what: expect.stringMatching(/is not in supply-chain\/uwebsockets\.sha256/),
    });
    expect(judgeLibrary(ownLibrary, list.replaceAll('.node', '.other'))).toMatchObject({
      status: 'FAIL',
    });
  });

  it('is what sluice doctor checks first', () => {
    const args = ['bin/sluice', 'doctor', '--json', '--gateway.port', 'x'];
    let output = '';
    try {
      output = execFileSync(process.execPath, args, { encoding: 'utf8' });
    } catch (error) {
      output = String(Reflect.get(Object(error), 'stdout'));
    }
    expect(JSON.parse(output).findings[0]).toMatchObject({
      status: 'ok',
      check: 'native',
      what: expect.stringContaining(basename(ownLibrary)),
    });
  });
});
