import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { judge, lineOf, printable, socketUrl, splitKeys } from '@sluice/cli';
import { serverRefusal } from '@sluice/store';
import { directory } from '../support/edge/config-loaded.js';

const cwd = directory();
const publicKey = generateKeyPairSync('ed25519')
  .publicKey.export({ type: 'spki', format: 'pem' })
  .toString();

/** Runs bin/sluice in an empty directory, without configuration in the environment. */
function sluice(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const { PATH } = process.env;
  const options = { cwd, env: { PATH, ...env }, encoding: 'utf8', timeout: 20_000 } as const;
  const { status, stdout, stderr } = spawnSync(resolve('bin/sluice'), args, options);
  return { status, stdout, stderr };
}

describe('sluice', () => {
  it('prints help and version, and refuses unknown commands and options', () => {
    expect(sluice(['--help']).stdout).toMatch(/start .*\n[\s\S]*doctor[\s\S]*chat/);
    expect(sluice(['--version']).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(sluice(['stat'])).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/unknown command 'stat'[\s\S]*start/),
    });
    expect(sluice(['doctor', '--jsn'])).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/unknown option '--jsn'[\s\S]*--json/),
    });
    expect(sluice(['chat', '--gateway.port', '1'])).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/unknown option '--gateway\.port'/),
    });
  });

  it('token prints a signed token and nothing else, or says what is missing', () => {
    const who = ['token', '--principal', 'alice'];
    const secret = { SLUICE_GATEWAY__AUTH__JWT__SECRET: 'c7d1b1a0f5ce4a1f9a7c2f0f6d3e8b45' };
    const { status, stdout, stderr } = sluice([...who, '--ttl', '2h', '--scopes', 'read'], secret);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const [, payload = ''] = stdout.trim().split('.');
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const nowS = Date.now() / 1_000;
    expect(claims).toEqual({
      ...{ sub: 'alice', scope: 'read' },
      ...{ iat: expect.any(Number), exp: expect.any(Number) },
    });
    const { exp } = Object(claims);
    expect(exp).toBeGreaterThan(nowS + 7_000);
    expect(exp).toBeLessThan(nowS + 7_201);

    const failures: [string[], Record<string, string>, RegExp, number?][] = [
      [who, {}, /gateway\.auth\.jwt is not set; set gateway\.auth\.jwt\.secret.*openssl rand/],
      [
        who,
        { SLUICE_GATEWAY__AUTH__JWT__PUBLIC_KEY: publicKey },
        /public_key .* signs none.*secret/,
      ],
      [
        [...who, '--gateway.auth.jwt.jwks_url', 'https://i.example/k'],
        {},
        /jwks_url .*private key/,
      ],
      [[...who, '--ttl', 'soon'], secret, /--ttl soon: give a duration/, 2],
      [
        [...who, '--scopes', 'read,all'],
        secret,
        /--scopes all: give some of read, write, operate, admin/,
        2,
      ],
    ];
    for (const [args, env, message, status = 78] of failures) {
      expect(sluice(args, env)).toMatchObject({
        ...{ status, stdout: '' },
        stderr: expect.stringMatching(message),
      });
    }
  });

  it('X6 a token that cannot be sent is refused without being shown', () => {
    const { status, stderr } = sluice(['nodes'], { SLUICE_TOKEN: 's3cr3t\nother' });
    expect(stderr).toMatch(/^sluice: --token \(SLUICE_TOKEN\): holds other than visible ASCII/);
    expect(stderr).not.toMatch(/s3cr3t|other\n/);
    expect(status).toBe(2);
  });

  it('chat ends with 75 and a remedy when no gateway answers', () => {
    expect(sluice(['chat', '--url', 'http://127.0.0.1:9'])).toMatchObject({
      status: 75,
      stderr: expect.stringMatching(/cannot reach http:\/\/127\.0\.0\.1:9 .*npm start/),
    });
  });

  it('doctor reports every fault of the configuration with its remedy and ends with 78', () => {
    const { status, stdout } = sluice(['doctor', '--gateway.port', 'x'], {
      SLUICE_LOG__LEVEL: 'y',
    });
    expect(status).toBe(78);
    expect(stdout.split('\n')).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^FAIL {2}gateway\.port: "x" is not allowed - give a whole number/),
        expect.stringMatching(/^FAIL {2}log\.level: .* - give one of .*SLUICE_LOG__LEVEL/),
        expect.stringMatching(/^FAIL {2}redis\.url: no Redis to use - .*npm start/),
      ]),
    );
  });

  it('doctor --json names a Redis that does not answer, without its password', () => {
    const env = { REDIS_URL: 'redis://:s3cr3t@127.0.0.1:1', SLUICE_GATEWAY__PORT: '0' };
    const { status, stdout } = sluice(['doctor', '--json'], env);
    expect(status).toBe(78);
    expect(stdout).not.toContain('s3cr3t');
    const { findings } = JSON.parse(stdout);
    expect(findings).toContainEqual({
      status: 'FAIL',
      check: 'redis',
      what: expect.stringMatching(/127\.0\.0\.1:1: .*ECONNREFUSED/),
      remedy: expect.any(String),
    });
    expect(findings).toContainEqual({ status: 'ok', check: 'agents', what: 'agent echo (echo)' });
  });
});

describe('the judgement of a Redis', () => {
  const info = {
    aof_enabled: '1',
    maxmemory: '1073741824',
    maxmemory_policy: 'noeviction',
    role: 'master',
  };
  const text = (fields: Record<string, string>) =>
    Object.entries(fields)
      .map(([name, value]) => `${name}:${value}\r\n`)
      .join('');
  const good = {
    server: 'Redis 7.2.4',
    info: text(info),
    settings: { save: '', appendfsync: 'everysec', 'min-replicas-to-write': '0' },
    refusal: undefined,
    missingRight: undefined,
    durabilityFault: null,
    isFull: false,
    latencyMs: 0.3,
    clockSkewMs: 2,
    layout: { version: 2, partitions: 64, durability: 'memory' },
  };
  const withInfo = (more: Record<string, string>) => ({ info: text({ ...info, ...more }) });
  const redis = {
    url: 'rediss://h',
    prefix: 'sluice',
    partitions: 64,
    durability: 'memory' as const,
    urlFile: null,
    clusterNodes: null,
    sentinel: null,
    tls: null,
  };

  it('finds nothing wrong with a good one, used or not', () => {
    for (const report of [good, { ...good, layout: null }]) {
      expect(judge(report, redis).filter(({ status }) => status !== 'ok')).toEqual([]);
    }
  });

  it.each([
    [
      { refusal: serverRefusal('redis_version:6.2.14\r\n') },
      'FAIL',
      /Redis 6\.2\.14.* - use Redis 7\.0 or newer, or Valkey/,
    ],
    [{ refusal: serverRefusal('redis_mode:cluster\r\n') }, 'FAIL', /cluster mode/],
    [{ refusal: serverRefusal('server_mode:cluster\r\n') }, 'FAIL', /cluster mode/],
    [{ refusal: serverRefusal('role:slave\r\n') }, 'FAIL', /replica.* - set redis\.url/],
    [{ durabilityFault: 'redis.durability is aof, but no: set it' }, 'FAIL', /but no - set it/],
    [withInfo({ maxmemory_policy: 'allkeys-lru' }), 'FAIL', /noeviction/],
    [withInfo({ maxmemory: '0' }), 'warn', /no maxmemory/],
    [{ isFull: true }, 'FAIL', /maxmemory.* - raise it/],
    [withInfo({ aof_enabled: '0' }), 'warn', /off and no snapshots.*everything/],
    [{ ...withInfo({ aof_enabled: '0' }), settings: {} }, 'warn', /after its last snapshot/],
    [withInfo({ aof_last_write_status: 'err' }), 'FAIL', /cannot write it/],
    [{ settings: { appendfsync: 'no' } }, 'warn', /appendfsync no/],
    [{ settings: { 'min-replicas-to-write': '1' } }, 'FAIL', /every write is refused/],
    [withInfo({ slave0: 'ip=h,state=online' }), 'warn', /min-replicas-to-write 0/],
    [
      { ...withInfo({ slave0: 'ip=h,state=wait_bgsave' }), settings: {} },
      'warn',
      /0 of 1 replicas in step/,
    ],
    [{ latencyMs: 40 }, 'warn', /latency/],
    [{ clockSkewMs: -5_000 }, 'warn', /clock/],
    [{ layout: { version: 3, partitions: 64 } }, 'FAIL', /layout 3/],
    [{ layout: { version: 1, partitions: 64 } }, 'warn', /layout 1/],
    [{ layout: { version: 2, partitions: 16 } }, 'FAIL', /redis\.partitions to 16/],
  ])('finds %j, with a remedy', (wrong, status, line) => {
    const bad = judge({ ...good, ...wrong }, redis).filter((finding) => finding.status !== 'ok');
    expect(bad).toMatchObject([{ status, name: expect.any(String), remedy: expect.any(String) }]);
    expect(bad.map(lineOf).join()).toMatch(line);
  });

  it('finds a Redis whose disk is written once a second, when acknowledgements wait for that', () => {
    const asked = { ...redis, durability: 'aof' as const };
    const said = (server: string) =>
      judge({ ...good, server }, asked)
        .filter(({ name }) => name === 'persistence')
        .map(({ status }) => status);
    expect(said('Redis 8.0.2')).toEqual(['warn']);
    expect(said('Valkey 8.1.1')).toEqual(['ok']);
  });

  it('finds a Redis without TLS, unless it is on this machine', () => {
    const statusAt = (url: string) =>
      judge(good, { ...redis, url })
        .filter(({ name }) => name === 'tls')
        .map(({ status }) => status);
    expect(statusAt('redis://redis.internal:6379')).toEqual(['warn']);
    expect(['redis://127.0.0.1', 'redis://[::1]', 'unix:///s'].flatMap(statusAt)).toEqual([]);
    expect(statusAt('rediss://redis.internal:6379')).toEqual(['ok']);
    const nobody = { username: null, password: null, passwordFile: null, tls: false };
    const behindSentinel = (tls: boolean) => {
      const nodes = [{ host: 'sentinel.internal', port: 26_379 }];
      const data = { ...nobody, tls };
      const sentinel = { name: 'mymaster', nodes, db: 0, data, sentinels: nobody };
      return judge(good, { ...redis, url: '', sentinel }).find(({ name }) => name === 'tls');
    };
    expect([behindSentinel(true), behindSentinel(false)]).toMatchObject([
      { status: 'ok' },
      { status: 'warn', remedy: expect.stringContaining('redis.sentinel.tls') },
    ]);
  });
});

describe('the command line', () => {
  it('gives keys with a dot to the configuration and the rest to the command', () => {
    const argv = ['start', '--gateway.port', '9', '--agent', 'a.mjs', '--log.level=debug'];
    expect(splitKeys(argv)).toEqual({
      rest: ['start', '--agent', 'a.mjs'],
      flags: { 'gateway.port': '9', 'log.level': 'debug' },
    });
    expect(splitKeys(['--metrics.public', '--json'])).toEqual({
      rest: ['--json'],
      flags: { 'metrics.public': 'true' },
    });
    expect(splitKeys(['--agents', '{"a":{"kind":"echo"}}', '--agent', 'b']).flags).toEqual({
      agents: '{"a":{"kind":"echo"}}',
    });
    expect(splitKeys(['--url=http://a.b', '--', '--a.b', 'c']).flags).toEqual({});
  });

  it('finds the socket of a gateway, below a path too', () => {
    expect(socketUrl('http://127.0.0.1:8765')).toBe('ws://127.0.0.1:8765/ws');
    expect(socketUrl('https://example.com/sluice/')).toBe('wss://example.com/sluice/ws');
  });

  it('shows no control characters of a reply but line ends and tabs', () => {
    expect(printable('a\u001b[2Jb\n\tc\u0007\u009b1m')).toBe('a[2Jb\n\tc1m');
  });
});
