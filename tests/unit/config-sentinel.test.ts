import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { directory, faultsOf, load, loadYaml } from '../support/edge/config-loaded.js';

const yaml = (lines: string) => `redis:\n  sentinel: {${lines}}`;
const right = 'name: main, nodes: [a, "b:26380", "[::1]:3"]';
const faults = (text: string) => faultsOf(() => loadYaml(text)).join('\n');

describe('redis.sentinel', () => {
  it('takes sentinels with and without port, and wins over REDIS_URL', () => {
    const { url, sentinel } = loadYaml(yaml(right)).redis;
    expect(url).toBe('');
    expect(sentinel).toMatchObject({
      name: 'main',
      nodes: [
        { host: 'a', port: 26_379 },
        { host: 'b', port: 26_380 },
        { host: '::1', port: 3 },
      ],
      db: 0,
      data: { username: null, password: null, passwordFile: null, tls: false },
    });
    expect(load().redis.sentinel).toBeNull();
  });

  it('reads each password from its file', () => {
    const cwd = directory();
    const file = (name: string, text: string) => writeFileSync(join(cwd, name), text);
    file('data', 'of-the-data\n');
    file('guard', 'of-the-sentinels\n');
    file(
      'gateway.yaml',
      yaml(`${right}, username: u, password_file: data, sentinel_password_file: guard`),
    );
    const { sentinel } = load({ file: join(cwd, 'gateway.yaml') }).redis;
    const passwordFile = join(cwd, 'data');
    expect(sentinel?.data).toMatchObject({ username: 'u', password: 'of-the-data', passwordFile });
    expect(sentinel?.sentinels).toMatchObject({ username: null, password: 'of-the-sentinels' });
  });

  it.each([
    ['nodes: [a]', 'redis.sentinel.name: is missing'],
    ['name: main', 'redis.sentinel.nodes: is missing'],
    ['name: main, nodes: []', 'redis.sentinel.nodes: is missing'],
    [`${right}, db: 16`, 'redis.sentinel.db: 16 is not allowed'],
    [`${right}, username: u`, 'redis.sentinel.password: is missing; a user needs one'],
    [`${right}, password: a, password_file: b`, 'give it or password_file, not both'],
    [`${right}, password_file: gone`, 'redis.sentinel.password_file: cannot read gone'],
    [`${right}, sentinel_password_file: gone`, 'sentinel_password_file: cannot read gone'],
    ['nam: main', 'unknown key redis.sentinel.nam; did you mean redis.sentinel.name?'],
  ])('refuses {%s}: %s', (lines, fault) => {
    expect(faults(yaml(lines))).toContain(fault);
  });

  it('is given instead of redis.url', () => {
    const both = `${yaml(right)}\n  url: redis://a`;
    expect(faults(both)).toContain('redis: give sentinel or url (url_file), not both');
  });

  it('X6 takes no URL as a node, and does not show it', () => {
    const found = faults(yaml('name: main, nodes: ["redis://u:of-the-test@a"]'));
    expect(found).toContain('redis.sentinel.nodes[0]: this value is not allowed; give host[:port]');
    expect(found).not.toContain('of-the-test');
  });
});
