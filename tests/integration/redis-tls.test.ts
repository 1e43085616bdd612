import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  eventually,
  FrameClient,
  type GatewayProcess,
  installedServer,
  makeAuthority,
  type Pair,
  startGateway,
  type TestRedis,
} from '@sluice/testkit';
import { startTlsRedis } from '../support/setup/tls-redis.js';

/** A conversation needs every connection: commands, the subscriber, and both of BullMQ. */
async function converses(gateway: GatewayProcess, text: string) {
  const client = await FrameClient.connect(gateway.wsUrl);
  try {
    await client.hello();
    const final = await client.final(client.message(text));
    expect(final.content).toContain(text);
  } finally {
    await client.close();
  }
}

const agents = { echo: { kind: 'echo' } };
const authority = makeAuthority();
const server = authority.sign('server');
const client = authority.sign('client');
let redis: TestRedis;
let tlsPort: number;
beforeAll(async () => {
  ({ redis, tlsPort } = await startTlsRedis(installedServer(), authority, server));
});
const filesOf = (pair: Pair, ca = authority) => ({
  ca_file: ca.file,
  cert_file: pair.cert,
  key_file: pair.key,
});

/** Each connection of nodes, as `name port-of-redis`. */
async function connections(): Promise<string[]> {
  const list = String(await redis.client().call('CLIENT', 'LIST'));
  return list
    .split('\n')
    .map((line) => / laddr=\S+:(\d+).* name=sluice:[^:]+:(\S+)/.exec(line))
    .flatMap((found) => (found ? [`${found[2]} ${found[1]}`] : []));
}

describe('Redis with TLS that asks for a client certificate', () => {
  it('X6 every connection of a node is made with it, as a user with the documented rights', async () => {
    const text = readFileSync('docs/operate/security.md', 'utf8');
    const rights = /ACL SETUSER sluice (.*)/.exec(text)?.[1]?.split(' ') ?? [];
    const given = rights.map((it) => it.replace('>PASSWORD', '>rights-0123456789'));
    await redis.client().call('ACL', 'SETUSER', 'sluice', ...given, '+config|get');
    const url = `rediss://sluice:rights-0123456789@127.0.0.1:${tlsPort}`;
    const gateway = await startGateway({
      config: { redis: { url, tls: filesOf(client), durability: 'aof' }, agents },
    });
    await converses(gateway, 'over TLS');
    const parts = ['blocking', 'bulk', 'commands', 'durability', 'ring', 'subscriber'];
    expect((await connections()).sort()).toEqual(parts.map((part) => `${part} ${tlsPort}`));
    expect((await gateway.stop()).code).toBe(0);
    expect(await redis.client().call('ACL', 'LOG')).toEqual([]);
  });

  const other = makeAuthority();
  it.each([
    [
      'another CA',
      { ...filesOf(client), ca_file: other.file },
      /self-signed.*; redis\.tls\.ca_file/,
    ],
    [
      'no client certificate',
      { ca_file: authority.file },
      /certificate required; .*set redis\.tls\.cert_file/,
    ],
    [
      'one of another CA',
      filesOf(other.sign('stranger')),
      /unknown ca; .*a CA of Redis has signed/,
    ],
    [
      'one that has expired',
      filesOf(authority.sign('old', -1)),
      /redis\.tls\.cert_file: .*expired on/,
    ],
    [
      'the key of another one',
      { ...filesOf(client), key_file: server.key },
      /redis\.tls\.key_file is not its key/,
    ],
    [
      'another name',
      { ...filesOf(client), server_name: 'redis.example' },
      /altnames.*set redis\.tls\.server_name/,
    ],
    ['no such file', { ca_file: '/nowhere/ca.pem' }, /redis\.tls\.ca_file: cannot read \/nowhere/],
  ])(
    'X6 %s stops the start with 78 and one line, and sluice doctor says the same',
    async (_what, tls, told) => {
      const url = `rediss://127.0.0.1:${tlsPort}`;
      const args = ['doctor', '--redis.url', url, '--gateway.port', '0'];
      for (const [name, value] of Object.entries(tls)) args.push(`--redis.tls.${name}`, value);
      await expect(startGateway({ config: { redis: { url, tls }, agents } })).rejects.toMatchObject(
        {
          exit: { code: 78 },
          output: expect.stringMatching(told),
        },
      );
      const doctor = spawnSync('bin/sluice', args, { encoding: 'utf8', timeout: 20_000 });
      expect(doctor.stdout.replaceAll(' - ', '; ')).toMatch(told);
      expect(doctor.status).toBe(78);
    },
  );

  it('X6 a name of the certificate that is not that of the URL is taken when it is given', async () => {
    const tls = { ...filesOf(client), server_name: 'redis.internal' };
    const url = `rediss://127.0.0.1:${tlsPort}`;
    const gateway = await startGateway({ config: { redis: { url, tls }, agents } });
    expect((await gateway.stop()).code).toBe(0);
  });
});

describe('the files of redis.tls', () => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-tls-'));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  const mounted = { cert: join(dir, 'tls.crt'), key: join(dir, 'tls.key') };
  const put = (from: Pair) => {
    copyFileSync(from.cert, mounted.cert);
    copyFileSync(from.key, mounted.key);
  };

  it('X6 are read at each new connection; what cannot be used is told, and the last good ones stay', async () => {
    put(client);
    const url = `rediss://127.0.0.1:${tlsPort}`;
    const gateway = await startGateway({
      config: { redis: { url, tls: filesOf(mounted) }, agents },
    });
    await converses(gateway, 'with the first');
    const kill = () => redis.client().call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');

    const next = authority.sign('next');
    copyFileSync(next.cert, mounted.cert); // its key is still to come
    await kill();
    const line = await gateway.waitForLog(({ key }) => key === 'redis.tls.cert_file');
    expect(line).toMatchObject({ level: 'error', fault: expect.stringContaining('not its key') });
    await eventually(() => converses(gateway, 'with the last good ones'), 15_000);

    // From here on Redis takes certificates of another CA alone.
    const later = makeAuthority();
    const own = later.sign('server');
    await redis.client().config('SET', 'tls-ca-cert-file', later.file);
    await kill();
    const refused = await gateway.waitForLog(({ why }) => `${why}`.startsWith('TLS alert'), 10_000);
    expect(refused).toMatchObject({ level: 'warn', why: 'TLS alert: unknown ca' });
    await redis.client().call('CONFIG', 'SET', 'tls-cert-file', own.cert, 'tls-key-file', own.key);
    copyFileSync(later.file, authority.file);
    put(later.sign('client'));
    await kill();
    await redis.client().call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await eventually(() => converses(gateway, 'with the new CA'), 15_000);
    expect((await gateway.stop()).code).toBe(0);
  });
});
