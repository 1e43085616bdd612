/** Servers of several releases, fetched by `npm run test:servers`; without them the tests of each are skipped. */
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import { startGateway, startRedis } from '@sluice/testkit';
import { fetchedServer, type ServerName } from '../support/setup/servers.js';

/** The lines that `sluice doctor` prints about a Redis, and how it ends. */
function doctor(url: string, durability: string) {
  const options = ['--redis.url', url, '--redis.durability', durability, '--gateway.port', '0'];
  const { stdout, status } = spawnSync('bin/sluice', ['doctor', ...options], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  return { lines: stdout.split('\n'), status };
}

const fetched = (name: ServerName) => {
  const server = fetchedServer(name);
  return { server, where: server ? it : it.skip };
};

describe.each<[ServerName, RegExp]>([
  ['redis-7.0', /^Redis 7\.0\.\d+$/],
  ['redis-8.0', /^Redis 8\.0\.\d+$/],
  ['valkey-8.1', /^Valkey 8\.1\.\d+$/],
])('%s', (name, called) => {
  const { server, where } = fetched(name);

  where('is called by its own name and version, and taken', async () => {
    const redis = await startRedis({ server: server ?? '' });
    const { lines, status } = doctor(redis.url, 'aof');
    const version = lines.find((line) => line.startsWith('ok    version '));
    expect(version?.slice('ok    version '.length)).toMatch(called);
    expect(lines.filter((line) => line.startsWith('FAIL'))).toEqual([]);
    expect(status).toBe(0);
  });
});

describe('redis-6.0', () => {
  const { server, where } = fetched('redis-6.0');

  where('is refused with 78, by a node and by sluice doctor', async () => {
    const redis = await startRedis({ server: server ?? '' });
    const why =
      /Redis 6\.0\.\d+, which lacks commands that Sluice uses.* use Redis 7\.0 or newer, or Valkey/;
    await expect(startGateway({ redisUrl: redis.url })).rejects.toMatchObject({
      exit: { code: 78 },
      output: expect.stringMatching(why),
    });
    const { lines, status } = doctor(redis.url, 'memory');
    expect(lines.filter((line) => line.startsWith('FAIL'))).toContainEqual(
      expect.stringMatching(why),
    );
    expect(status).toBe(78);
  });
});
