import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, expect, it } from '@jest/globals';
import { serverName } from '@sluice/testkit';

const dir = mkdtempSync(join(tmpdir(), 'sluice-path-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const found = (name: string) =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .map((one) => join(one, name))
    .find((path) => spawnSync(path, ['--version']).error === undefined);
const server = process.env.SLUICE_REDIS_SERVER ?? found('redis-server') ?? found('valkey-server');
const where = server ? it : it.skip;

/** Starts a Redis in a process of its own; returns what that process says. */
function start(env: NodeJS.ProcessEnv): string {
  const script = `
    import('@sluice/testkit').then(async ({ startRedis }) => (await startRedis()).stop())
      .catch(({ message }) => console.error(message));`;
  const { stderr } = spawnSync(process.execPath, ['-e', script], {
    env: { SLUICE_TEST_CONTAINERS: '0', SLUICE_TEST_RUN: `engine-${process.pid}`, ...env },
    encoding: 'utf8',
    timeout: 20_000,
  });
  rmSync(join(tmpdir(), `sluice-test-engine-engine-${process.pid}`), { force: true });
  return stderr;
}

where('a run takes valkey-server where it is found, and says which server it is, once', () => {
  if (!server) return;
  symlinkSync(found(server) ?? server, join(dir, 'valkey-server'));
  symlinkSync('/bin/sh', join(dir, 'sh'));
  const said = start({ PATH: dir });
  expect(said).toBe(`redis for this run: ${serverName(server)} of this machine (valkey-server)\n`);
  expect(serverName(server)).toMatch(/^(Redis|Valkey) \d+\.\d+\.\d+$/);
});

it('a run refuses a server that was named and does not run, instead of taking another one', () => {
  const said = start({ PATH: process.env.PATH, SLUICE_REDIS_SERVER: '/bin/false' });
  expect(said).toMatch(/^SLUICE_REDIS_SERVER: \/bin\/false is no server that runs here/);
});
