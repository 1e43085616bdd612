import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { directory } from '../support/edge/config-loaded.js';

const dir = directory();

/** The script for a shell, in a file. */
function script(shell: string): string {
  const args = [resolve('bin/sluice'), 'completions', shell];
  const file = join(dir, `sluice.${shell}`);
  writeFileSync(file, execFileSync(process.execPath, args));
  return file;
}

/** What bash offers for the last of these words; calls our function as bash does. */
function offered(...words: string[]): string[] {
  const call = `source ${bash}
    complete -p sluice >/dev/null || exit 9
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sluice; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { status, stdout, stderr } = spawnSync('bash', ['-c', call, 'bash', ...words], {
    encoding: 'utf8',
    cwd: resolve('tests/unit'),
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout.split('\n').filter(Boolean);
}
const bash = script('bash');

describe('sluice completions', () => {
  it.each([
    [
      ['sluice', 'sess'],
      ['sessions', 'session-ends'],
    ],
    [['sluice', 'sessions', 'a'], ['abort']],
    [['sluice', 'sessions', 'list', '--st'], ['--state']],
    [
      ['sluice', 'sessions', 'list', '--state', ''],
      ['executing', 'pending', 'idle'],
    ],
    [['sluice', 'sessions', 'list', '--state', 'p'], ['pending']],
    [['sluice', 'nodes', '--url', 'http://h', 'd'], ['drain']],
    [['sluice', 'nodes', 'drain', 'some-node', '--t'], ['--token']],
    [
      ['sluice', 'completions', ''],
      ['bash', 'zsh', 'fish', '--help'],
    ],
    [['sluice', 'start', '--config', 'cli-compl'], ['cli-completions.test.ts']],
    [['sluice', 'nonsense', 'xyz'], []],
  ])('in bash: %j', (words, expected) => {
    expect(offered(...words)).toEqual(expected);
  });

  it.each(['zsh', 'fish'])('for %s is free of syntax errors, where there is one', (shell) => {
    const file = script(shell);
    expect(readFileSync(file, 'utf8')).toContain('session-ends');
    const { error, status, stderr } = spawnSync(shell, ['-n', file], { encoding: 'utf8' });
    if (error === undefined) expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('knows bash, zsh and fish', () => {
    const { status, stderr } = spawnSync(resolve('bin/sluice'), ['completions', 'csh'], {
      encoding: 'utf8',
    });
    expect(status).toBe(2);
    expect(stderr).toMatch(/Allowed choices are bash, zsh, fish/);
  });
});
