import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from '@jest/globals';
import {
  FrameClient,
  freePort,
  installedServer,
  makeAuthority,
  startChild,
  startGateway,
} from '@sluice/testkit';
import { startTlsRedis } from '../support/setup/tls-redis.js';

const dir = mkdtempSync(join(tmpdir(), 'sluice-sentinel-tls-'));
const authority = makeAuthority();
const server = authority.sign('server');
const client = authority.sign('client');
const ended: (() => void)[] = [];
afterAll(() => {
  for (const end of ended) end();
  rmSync(dir, { recursive: true, force: true });
});

/** A sentinel that talks TLS alone, to clients and to the primary. */
function startTlsSentinel(port: number, primary: number): void {
  const file = join(dir, 'sentinel.conf');
  const lines = [
    ...['bind 127.0.0.1', 'port 0', `tls-port ${port}`, 'tls-replication yes'],
    ...[`tls-cert-file ${server.cert}`, `tls-key-file ${server.key}`],
    ...[`tls-ca-cert-file ${authority.file}`, `sentinel monitor mymaster 127.0.0.1 ${primary} 1`],
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  const child = startChild(installedServer(), [file, '--sentinel'], { cwd: dir });
  ended.push(() => child.kill('SIGKILL'));
}

it('X6 sentinels and data servers get the client certificate of redis.tls', async () => {
  const { redis, tlsPort } = await startTlsRedis(installedServer(), authority, server);
  const port = await freePort();
  startTlsSentinel(port, tlsPort);
  const tls = { ca_file: authority.file, cert_file: client.cert, key_file: client.key };
  const sentinel = { name: 'mymaster', nodes: [`127.0.0.1:${port}`], tls: true };
  const gateway = await startGateway({
    config: {
      redis: { sentinel: { ...sentinel, sentinel_tls: true }, tls },
      agents: { echo: { kind: 'echo' } },
    },
  });
  const talk = await FrameClient.connect(gateway.wsUrl);
  await talk.hello();
  await talk.final(talk.message('through a sentinel'));
  await talk.close();
  const list = String(await redis.client().call('CLIENT', 'LIST'));
  const ports = [...list.matchAll(/ laddr=\S+:(\d+).* name=sluice:/g)].map(([, at]) => at);
  expect(new Set(ports)).toEqual(new Set([String(tlsPort)]));
  expect(ports.length).toBeGreaterThanOrEqual(5);
  expect((await gateway.stop()).code).toBe(0);
}, 60_000);
