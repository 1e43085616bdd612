import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { startRedis, type TestRedis } from '@sluice/testkit';
import { sluice } from '../support/cluster/sluice.js';
import { startMembers, urlsOf } from '../support/quorum.js';

describe('sluice doctor, with a quorum', () => {
  let redis: TestRedis;
  let members: TestRedis[];
  beforeAll(async () => {
    redis = await startRedis();
    members = await startMembers(3);
  });

  const doctor = async (quorum: readonly string[]) => {
    const file = join(mkdtempSync(join(tmpdir(), 'sluice-doctor-')), 'gateway.yaml');
    const config = {
      gateway: { port: 0 },
      redis: { url: redis.url },
      lease: { quorum },
      agents: { e: { kind: 'echo' } },
    };
    writeFileSync(file, JSON.stringify(config));
    const { status, stdout } = await sluice(['doctor', '--config', file]);
    return { status, lines: stdout.split('\n').filter((line) => line.includes('quorum member')) };
  };

  it('names each member that is fit', async () => {
    const { status, lines } = await doctor(urlsOf(members));
    expect(status).toBe(0);
    expect(lines).toEqual(
      members.map(({ port }) =>
        expect.stringMatching(`^ok +quorum member redis://127.0.0.1:${port}: \\w+ \\d`),
      ),
    );
  });

  it('names one server under two addresses, one that evicts, and one that has replicas', async () => {
    const [a, b, c] = members;
    const copy = await startRedis();
    await b?.client().config('SET', 'maxmemory-policy', 'allkeys-lru');
    await copy.client().replicaof('127.0.0.1', c?.port ?? 0);
    const twin = `redis://localhost:${a?.port}`;
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const found = await doctor([a?.url ?? '', b?.url ?? '', c?.url ?? '', twin, copy.url]);
    await b?.client().config('SET', 'maxmemory-policy', 'noeviction');
    expect(found.status).toBe(78);
    const text = found.lines.join('\n');
    expect(text).toMatch(/FAIL.*maxmemory-policy allkeys-lru may evict Redlocks - CONFIG SET/);
    expect(text).toMatch(
      /FAIL.*is the same server as redis:\/\/127\.0\.0\.1.* - name an independent/,
    );
    expect(text).toMatch(/warn.*has 1 replicas: one that is promoted may lack Redlocks - /);
    expect(text).toMatch(/FAIL.*this Redis is a replica, which takes no writes - name a master/);
    await copy.stop();
  }, 20_000);

  it('names one that does not answer, and one whose user has no rights, without a password', async () => {
    const [a, b, c] = members;
    await c?.client().call('ACL', 'SETUSER', 'poor', 'on', '>secret-0123456789', '+info', '+ping');
    await b?.kill();
    const poor = `redis://poor:secret-0123456789@127.0.0.1:${c?.port}`;
    const { status, lines } = await doctor([a?.url ?? '', b?.url ?? '', poor]);
    await b?.start();
    expect(status).toBe(78);
    const text = lines.join('\n');
    expect(text).toMatch(/FAIL.*ECONNREFUSED.* - start it, or set lease\.quorum/);
    expect(text).toMatch(/FAIL.*NOPERM.* - give its user the rights/);
    expect(text).not.toContain('secret');
  }, 20_000);
});
