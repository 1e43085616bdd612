import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { environmentOf } from '../deploy/compose-file.js';

/** A start takes a second, and many seconds on a busy machine. */
const testMs = 60_000;
const ownScope = '@sluice';
const name = z.object({ name: z.string() });

/** Makes node_modules: foreign packages are links to the installed ones, ours to those in the image. */
function linkModules(dir: string): void {
  const modules = join(dir, 'node_modules');
  mkdirSync(join(modules, ownScope), { recursive: true });
  for (const entry of readdirSync('node_modules')) {
    if (entry !== ownScope && !entry.startsWith('.')) {
      symlinkSync(resolve('node_modules', entry), join(modules, entry));
    }
  }
  for (const group of ['apps', 'packages']) {
    for (const entry of readdirSync(join(dir, group))) {
      const path = join(dir, group, entry);
      const own = name.parse(JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')));
      symlinkSync(path, join(modules, own.name));
    }
  }
}

describe('the files of the image', () => {
  let dir = '';
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'sluice-image-'));
    execFileSync(process.execPath, ['scripts/image-tree.mjs', dir]);
    linkModules(dir);
  }, testMs);
  afterAll(() => rmSync(dir, { recursive: true }));

  /** Starts a node with the configuration of docker-compose.yml, and as Redis a port where nobody listens. */
  const start = (env: NodeJS.ProcessEnv) =>
    spawnSync(process.execPath, [join(dir, 'bin', 'sluice'), 'start', '--config', config], {
      cwd: dir,
      encoding: 'utf8',
      timeout: 50_000,
      env: { PATH: process.env.PATH, SLUICE_REDIS__URL: 'redis://127.0.0.1:1', ...env },
    });
  const config = resolve('deploy/compose/gateway.yaml');

  it(
    'are all that a node needs: it starts, up to the Redis that is not there',
    () => {
      const { status, stderr } = start(environmentOf('gateway-1'));
      expect({ status, stderr }).toMatchObject({ status: 75 });
      expect(stderr).toMatch(/redis/i);
    },
    testMs,
  );

  it(
    'X3 a node of them without tokens does not start',
    () => {
      const { status, stderr } = start({});
      expect(status).toBe(78);
      expect(stderr).toContain('SLUICE_TOKEN');
    },
    testMs,
  );
});
