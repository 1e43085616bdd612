import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { endAll, makeClone, plainEnv, startNode } from '../support/setup/setup-clone.js';

const find = 'command -v redis-server || command -v valkey-server';
const server = execFileSync('sh', ['-c', find], { encoding: 'utf8' }).trim();

describe('npm start without a Redis', () => {
  let clone: ReturnType<typeof makeClone>;
  let path: string;

  /** Writes a command into our own PATH; commands that are not there count as not installed. */
  const command = (name: string, lines: readonly string[]) => {
    writeFileSync(join(path, name), ['#!/bin/sh', ...lines, ''].join('\n'));
    chmodSync(join(path, name), 0o755);
  };
  const env = (more: NodeJS.ProcessEnv = {}) => plainEnv({ PATH: path, ...more });

  beforeEach(() => {
    clone = makeClone();
    path = join(dirname(clone.dir), 'path');
    mkdirSync(path);
    symlinkSync(process.execPath, join(path, 'node'));
  });
  afterEach(async () => {
    await endAll(clone.dir);
    clone.remove();
  });

  it('says how to get one and ends with 69', async () => {
    const script = startNode(clone.dir, [], env());
    expect(await script.exited).toBe(69);
    await script.closed;
    expect(script.text()).toContain('apt-get install redis-server');
    expect(script.text()).toContain('REDIS_URL=');
  });

  it('installs one, and shows the command before', async () => {
    // `sudo` and `env`: drop options and variables, and run the command after them.
    const isCommand = 'case "$1" in -*|*=*) shift;; *) exec "$@";; esac';
    const pass = [`while :; do ${isCommand}; done`];
    command('sudo', pass);
    command('env', pass);
    command('true', []);
    command('apt-get', [
      'echo "apt-get ran: $*" >&2',
      `[ "$1" != install ] || /bin/ln -s ${server} ${join(path, 'redis-server')}`,
    ]);
    const script = startNode(clone.dir, [], env());
    await script.seen(/"msg":"ready"/);
    expect(script.text()).toMatch(
      /running: .*apt-get update\napt-get ran: update\nrunning: .*apt-get install -y redis-server\n/,
    );
    script.child.kill('SIGTERM');
    expect(await script.exited).toBe(0);
  });

  it('never empties a node_modules that is only linked', async () => {
    const lock = join(clone.dir, 'package-lock.json');
    const text = readFileSync(lock, 'utf8');
    writeFileSync(
      lock,
      text.replace(/(?<head>"node_modules\/ws": \{\s+"version": ")[^"]+/, '$<head>0.0.1'),
    );
    const script = startNode(clone.dir, [], env());
    expect(await script.exited).toBe(69);
    await script.closed;
    expect(script.text()).toContain('node_modules is a link');
    expect(existsSync(join(clone.dir, 'node_modules', 'ws', 'package.json'))).toBe(true);
  });

  it('installs nothing with SLUICE_INSTALL=0', async () => {
    command('apt-get', ['echo "apt-get ran: $*" >&2']);
    command('sudo', []);
    const script = startNode(clone.dir, [], env({ SLUICE_INSTALL: '0' }));
    expect(await script.exited).toBe(69);
    expect(script.text()).not.toContain('apt-get ran');
  });

  it('takes no server that is too old', async () => {
    command('redis-server', ['echo "Redis server v=6.0.16 sha=0"']);
    const script = startNode(clone.dir, [], env({ SLUICE_INSTALL: '0' }));
    expect(await script.exited).toBe(69);
    await script.closed;
    expect(script.text()).toContain('is version 6; 7.0 or newer is needed');
  });

  it('shows the log of a server that does not start', async () => {
    command('redis-server', [
      'if [ "$1" = --version ]; then echo "Redis server v=7.0.15"; exit; fi',
      'echo "cannot open the data"; exit 1',
    ]);
    const script = startNode(clone.dir, [], env());
    expect(await script.exited).toBe(69);
    await script.closed;
    expect(script.text()).toContain('cannot open the data');
  });
});

describe('npm start and signals', () => {
  let clone: ReturnType<typeof makeClone>;
  beforeEach(() => {
    clone = makeClone();
    // Replaces the gateway with a program that prints each signal and ends at the second.
    writeFileSync(
      join(clone.dir, 'bin', 'sluice'),
      `let count = 0;
      for (const name of ['SIGINT', 'SIGTERM']) process.on(name, () => {
        console.log('got ' + name);
        if (++count === 2) process.exit(75);
      });
      setInterval(() => {}, 1000);
      console.log('up');`,
    );
  });
  afterEach(async () => {
    await endAll(clone.dir);
    clone.remove();
  });

  it('passes a second signal on when it comes 250 ms later, and the status back', async () => {
    const script = startNode(clone.dir, []);
    await script.seen(/up/);
    script.child.kill('SIGINT');
    script.child.kill('SIGTERM');
    await script.seen(/got/);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(script.text().match(/got/g)).toHaveLength(1);
    script.child.kill('SIGTERM');
    expect(await script.exited).toBe(75);
  });
});
