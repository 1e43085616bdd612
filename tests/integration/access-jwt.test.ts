import { spawnSync } from 'node:child_process';
import { createSecretKey, generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  eventually,
  FrameClient,
  type GatewayProcess,
  httpBehaviours,
  startRedis,
  stopLater,
  type TestRedis,
} from '@sluice/testkit';
import { exportJWK, SignJWT } from 'jose';
import { Cluster } from '../support/cluster/cluster.js';

const secret = '9b1f6c3e5a7d4e20b8c4d1f7a2e6093c';
const audience = 'sluice';

/** What `sluice token` prints for this secret. */
function token(principal: string, ...args: string[]): string {
  const more = ['--gateway.auth.jwt.secret', secret, '--gateway.auth.jwt.audience', audience];
  const { stdout, stderr } = spawnSync(
    resolve('bin/sluice'),
    ['token', '--principal', principal, ...args, ...more],
    { encoding: 'utf8', timeout: 20_000 },
  );
  if (!/^[\w-]+\.[\w-]+\.[\w-]+\n$/.test(stdout)) throw new Error(`no token: ${stderr}`);
  return stdout.trim();
}

/** Signed here: `sluice token` would take too long for tokens that live a few seconds. */
function shortLived(principal: string, seconds: number): Promise<string> {
  const exp = Math.floor(Date.now() / 1_000) + seconds;
  return new SignJWT({ sub: principal, aud: audience, exp, scope: 'read write' })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(createSecretKey(Buffer.from(secret)));
}

const bearer = (jwt: string) => ({ authorization: `Bearer ${jwt}` });

describe('signed tokens', () => {
  let redis: TestRedis;
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeAll(async () => {
    redis = await startRedis();
    cluster = await Cluster.open(redis);
    cluster.agent.behave(httpBehaviours.delayMs(0));
    const tokens = [{ token: 'static-5b0d1c7f9e3a42d8', principal: 'alice' }];
    node = await cluster.start({ gateway: { auth: { tokens, jwt: { secret, audience } } } });
  });
  afterAll(() => cluster.stop());

  it('X1 made by `sluice token` are accepted on the socket and over HTTP, as their principal', async () => {
    const jwt = token('alice', '--ttl', '10m');
    const client = await cluster.attach(node, { session_id: 'signed' }, { token: jwt });
    await client.final(client.message('hello'));
    const read = await fetch(`${node.url}/v1/sessions/signed`, { headers: bearer(jwt) });
    expect(await read.json()).toMatchObject({ session_id: 'signed', agent_id: 'slow' });
    // A static token of the same name is the same principal.
    const other = { token: 'static-5b0d1c7f9e3a42d8' };
    const same = await cluster.attach(node, { session_id: 'signed' }, other);
    expect(same.frames[0]).toMatchObject({ resumed: true });
    for (const given of [`${jwt}x`, jwt.slice(0, -3)]) {
      const refused = await fetch(`${node.url}/v1/sessions/signed`, { headers: bearer(given) });
      expect(refused.status).toBe(401);
    }
  });

  it('X1 made by `sluice token --scopes` allow what these scopes say', async () => {
    const jwt = token('alice', '--scopes', 'read');
    const path = `${node.url}/v1/sessions/signed`;
    expect((await fetch(path, { headers: bearer(jwt) })).status).toBe(200);
    const denied = await fetch(path, { method: 'DELETE', headers: bearer(jwt) });
    expect(denied.status).toBe(403);
  });

  it('X1 lose nothing of a long body that comes in while they are verified', async () => {
    const jwt = await shortLived('alice', 60);
    const content = 'a long document '.repeat(50_000);
    const response = await fetch(`${node.url}/v1/sessions/long/messages?wait=20`, {
      method: 'POST',
      headers: bearer(jwt),
      body: JSON.stringify({ agent_id: 'slow', content }),
    });
    expect({ status: response.status, body: await response.json() }).toMatchObject({
      status: 200,
      body: { status: 'final', outcome: { status: 'ok' } },
    });
    expect(cluster.agent.turns.at(-1)?.turn.content).toBe(content);
  });

  it('X1 that expire end their connections and streams, and no others', async () => {
    const brief = await shortLived('alice', 3);
    const client = await cluster.attach(node, { session_id: 'brief' }, { token: brief });
    const long = await cluster.attach(
      node,
      { session_id: 'brief' },
      { token: await shortLived('alice', 60) },
    );
    await client.final(client.message('first'));
    const events = await fetch(`${node.url}/v1/sessions/brief/events`, { headers: bearer(brief) });
    expect(events.status).toBe(200);
    const ended = events.text();
    expect(await client.closed).toEqual({ code: 4001, reason: 'credentials_expired' });
    expect(await ended).toContain('"status":"final"');
    const late = await fetch(`${node.url}/v1/sessions/brief`, { headers: bearer(brief) });
    expect({ status: late.status, body: await late.json() }).toMatchObject({
      status: 401,
      body: { error: { code: 'auth_unauthorized', message: expect.stringMatching(/expired/) } },
    });
    await long.final(long.message('second'));
  });

  it('X6 do not appear in the log', () => {
    const said = JSON.stringify(node.logs);
    expect(said).not.toMatch(/eyJ[\w-]+\.eyJ/);
    expect(said).not.toContain(secret);
  });
});

describe('an issuer that does not answer', () => {
  it('X1 gets tokens refused as retryable, and costs the node nothing', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k' }] });
    let answers = false;
    const issuer = createServer((_request, response) => {
      if (answers) response.end(keys);
    });
    await new Promise<void>((listening) => issuer.listen(0, '127.0.0.1', listening));
    const closeIssuer = async () => {
      issuer.close();
      issuer.closeAllConnections();
    };
    stopLater(closeIssuer);
    const address = issuer.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;

    const redis = await startRedis();
    const cluster = await Cluster.open(redis);
    const jwks_url = `http://127.0.0.1:${port}/keys`;
    const node = await cluster.start({ gateway: { auth: { jwt: { jwks_url, audience } } } });
    const exp = Math.floor(Date.now() / 1_000) + 300;
    const jwt = await new SignJWT({ sub: 'alice', aud: audience, exp })
      .setProtectedHeader({ alg: 'ES256', kid: 'k' })
      .sign(privateKey);

    // Clients that leave while their token is being verified: on the socket, and with half a body.
    for (let i = 0; i < 5; i++) {
      const left = await FrameClient.connect(node.wsUrl, { token: jwt });
      left.send({ type: 'hello', agent_id: 'slow' });
      left.cut();
      const signal = AbortSignal.timeout(200);
      const asked = fetch(`${node.url}/v1/sessions/s/messages`, {
        ...{ method: 'POST', headers: bearer(jwt), signal, body: 'x'.repeat(500_000) },
      });
      await expect(asked).rejects.toThrow();
    }
    const client = await FrameClient.connect(node.wsUrl, { token: jwt });
    expect(await client.waitFor({ type: 'hello_error' })).toMatchObject({
      code: 'unavailable',
      next_step: 'wait_then_retry',
      retry_after_seconds: 1,
    });
    const asked = await fetch(`${node.url}/info`, { headers: bearer(jwt) });
    expect({ status: asked.status, later: asked.headers.get('retry-after') }).toEqual({
      status: 503,
      later: '1',
    });
    expect(await asked.json()).toMatchObject({ error: { code: 'unavailable', retryable: true } });
    expect((await fetch(`${node.url}/ready`)).status).toBe(200);
    await node.waitForLog(({ msg }) => /jwks_url does not answer/.test(String(msg)));

    answers = true;
    await eventually(async () => {
      const again = await fetch(`${node.url}/info`, { headers: bearer(jwt) });
      expect(again.status).toBe(200);
    }, 15_000);
    await cluster.stop();
    await closeIssuer();
  });
});
