import { createSecretKey } from 'node:crypto';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  eventually,
  type FrameClient,
  type GatewayProcess,
  httpBehaviours,
  startRedis,
} from '@sluice/testkit';
import { SignJWT } from 'jose';
import { Cluster } from '../support/cluster/cluster.js';

const token = { old: 'old-d41f7a09c3b85e62', next: 'new-73c0e5b1f92a4d88' };
const secret = {
  old: '9b1f6c3e5a7d4e20b8c4d1f7a2e6093c',
  next: 'f02d8b6a4c1e4795a3d7c0e9b18f652d',
};
const other = 'other-5b0d1c7f9e3a42d8';

function sign(key: string): Promise<string> {
  return new SignJWT({ sub: 'alice' })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('10m')
    .sign(createSecretKey(Buffer.from(key)));
}

/** A mounted Secret of Kubernetes: the files are links through `..data`, which is swapped as a whole. */
class MountedSecret {
  readonly path = mkdtempSync(join(tmpdir(), 'sluice-secret-'));
  #version = 0;

  constructor(files: Readonly<Record<string, string>>) {
    this.swap(files);
    for (const name of Object.keys(files)) symlinkSync(join('..data', name), join(this.path, name));
  }

  swap(files: Readonly<Record<string, string>>): void {
    const version = `..version-${++this.#version}`;
    mkdirSync(join(this.path, version));
    for (const [name, content] of Object.entries(files)) {
      writeFileSync(join(this.path, version, name), content);
    }
    symlinkSync(version, join(this.path, '..next'));
    renameSync(join(this.path, '..next'), join(this.path, '..data'));
  }

  /** Removes all its files. */
  withdraw(): void {
    rmSync(join(this.path, '..data'));
  }

  remove(): void {
    rmSync(this.path, { recursive: true });
  }
}

const files = (tokens: string[], secrets: string[]) => ({
  'app-token': tokens.join('\n'),
  'jwt-secret': `${secrets.join('\n')}\n`,
});

describe('secrets in files', () => {
  let cluster: Cluster;
  let node: GatewayProcess;
  const mounted = new MountedSecret(files([token.old], [secret.old]));
  beforeAll(async () => {
    cluster = await Cluster.open(await startRedis());
    cluster.agent.behave(httpBehaviours.delayMs(0));
    const tokens = [
      { token_file: join(mounted.path, 'app-token'), principal: 'alice' },
      { token: other, principal: 'alice' },
    ];
    const jwt = { secret_file: join(mounted.path, 'jwt-secret') };
    node = await cluster.start({ gateway: { auth: { tokens, jwt } } });
  });
  afterAll(async () => {
    await cluster.stop();
    mounted.remove();
  });

  const status = async (credential: string) =>
    (await fetch(`${node.url}/info`, { headers: { authorization: `Bearer ${credential}` } }))
      .status;
  const attach = (credential: string) =>
    cluster.attach(node, { session_id: 'kept' }, { token: credential });
  const talks = async (client: FrameClient) => client.final(client.message('still here'));

  it('X1 count when they change: connections end whose credential is gone, and no others', async () => {
    const signed = { old: await sign(secret.old), next: await sign(secret.next) };
    const leaving = [await attach(token.old), await attach(signed.old)];
    const staying = [await attach(other)];
    const headers = { authorization: `Bearer ${token.old}` };
    const events = await fetch(`${node.url}/v1/sessions/kept/events`, { headers });
    const ended = events.text();
    expect([await status(token.next), await status(signed.next)]).toEqual([401, 401]);

    // The new one above the old: both are valid, and no connection is closed.
    mounted.swap(files([token.next, token.old], [secret.next, secret.old]));
    await eventually(async () => {
      expect([await status(token.next), await status(signed.next)]).toEqual([200, 200]);
    }, 8_000);
    staying.push(await attach(token.next), await attach(signed.next));
    for (const client of [...leaving, ...staying]) await talks(client);

    mounted.swap(files([token.next], [secret.next]));
    for (const client of leaving) {
      expect(await client.closed).toEqual({ code: 4001, reason: 'credentials_rotated' });
    }
    expect(await ended).toContain('still here');
    for (const client of staying) await talks(client);
    expect([await status(token.old), await status(signed.old)]).toEqual([401, 401]);
  });

  it('X1 stay as they were while their files are gone, empty or malformed', async () => {
    const client = await attach(token.next);
    const faults = () => node.logs.filter(({ level }) => level === 'error');
    const isTold = (fault: RegExp, count: number) =>
      eventually(() => {
        const told = faults().filter((line) => fault.test(String(line.fault)));
        expect(told.length).toBe(count);
        expect(told[0]).toMatchObject({
          key: expect.stringMatching(/^gateway\.auth\..*_file$/),
          msg: expect.stringMatching(/what was valid before stays valid/),
        });
      }, 8_000);
    mounted.withdraw();
    await isTold(/cannot read it \(ENOENT\)/, 2);
    mounted.swap(files([], []));
    await isTold(/is empty/, 2);
    mounted.swap(files(['two words'], [secret.next]));
    await isTold(/visible ASCII/, 1);
    await talks(client);
    expect(await status(token.next)).toBe(200);
    expect(JSON.stringify(node.logs)).not.toMatch(/two words|new-73c0|f02d8b6a/);

    mounted.swap(files([token.old], [secret.next]));
    expect(await client.closed).toMatchObject({ reason: 'credentials_rotated' });
    expect(await status(token.old)).toBe(200);
  });
});
