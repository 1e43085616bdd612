import { createSecretKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { eventually } from '@sluice/testkit';
import { exportJWK, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { pino } from 'pino';
import type { JwtAuth } from '../../apps/gateway/src/config/config-types.js';
import { makeCredentials } from '../../apps/gateway/src/edge/access/authenticate.js';
import { followSecrets } from '../../apps/gateway/src/edge/access/live-secrets.js';
import { credentialsOf, jwtOf, secretOf, silent } from '../support/edge/auth-made.js';
import { startJwks } from '../support/edge/jwks-server.js';

const secret = 'c7d1b1a0f5ce4a1f9a7c2f0f6d3e8b45';
const shared = createSecretKey(Buffer.from(secret));
const pair = (type: 'rsa' | 'ec' | 'ed25519', curve = 'P-256') => {
  if (type === 'rsa') return generateKeyPairSync('rsa', { modulusLength: 2_048 });
  return type === 'ec'
    ? generateKeyPairSync('ec', { namedCurve: curve })
    : generateKeyPairSync('ed25519');
};
const pemOf = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString();

type Made = { readonly alg?: string; readonly kid?: string; readonly claims?: JWTPayload };

/** A token of alice for five minutes. */
function sign(key: KeyObject, { alg = 'HS256', kid, claims = {} }: Made = {}): Promise<string> {
  const exp = Math.floor(Date.now() / 1_000) + 300;
  return new SignJWT({ sub: 'alice', exp, ...claims })
    .setProtectedHeader(kid === undefined ? { alg } : { alg, kid })
    .sign(key);
}

const ask = async (jwt: JwtAuth, token: string) => credentialsOf([], jwt).authenticate(token);
const bySecret = (more: Partial<JwtAuth> = {}) => jwtOf(secretOf('shared', secret), more);
const alice = { kind: 'ok', identity: { principal: 'alice', scopes: ['read', 'write'] } };
const refused = { kind: 'refused', code: 'auth_unauthorized' };
const unavailable = { kind: 'refused', code: 'unavailable' };

describe('signed tokens', () => {
  it.each(['HS256', 'HS384', 'HS512'])(
    'X1 are taken when signed with the secret by %s',
    async (alg) => {
      expect(await ask(bySecret(), await sign(shared, { alg }))).toMatchObject(alice);
    },
  );

  it.each([
    ['RS256', pair('rsa')],
    ['RS512', pair('rsa')],
    ['ES256', pair('ec')],
    ['ES384', pair('ec', 'P-384')],
    ['ES512', pair('ec', 'P-521')],
    ['EdDSA', pair('ed25519')],
  ])(
    'X1 are taken when signed by %s with the private key',
    async (alg, { publicKey, privateKey }) => {
      const jwt = jwtOf(secretOf('public_key', pemOf(publicKey)));
      expect(await ask(jwt, await sign(privateKey, { alg }))).toMatchObject(alice);
      const other = pair('ec');
      expect(await ask(jwt, await sign(other.privateKey, { alg: 'ES256' }))).toMatchObject(refused);
    },
  );

  it('X1 are refused when the text of the public key was taken as a secret', async () => {
    for (const { publicKey } of [pair('rsa'), pair('ec'), pair('ed25519')]) {
      const pem = pemOf(publicKey);
      const issuer = await startJwks([{ ...(await exportJWK(publicKey)), kid: 'k' }]);
      for (const text of [pem, pem.trim(), `${pem}\n`]) {
        const key = createSecretKey(Buffer.from(text));
        for (const alg of ['HS256', 'HS384', 'HS512']) {
          const token = await sign(key, { alg, kid: 'k' });
          expect(await ask(jwtOf(secretOf('public_key', pem)), token)).toMatchObject(refused);
          expect(await ask(jwtOf({ kind: 'jwks', url: issuer.url }), token)).toMatchObject(refused);
        }
      }
      await issuer.close();
    }
  });

  it('X1 are refused without a signature', async () => {
    const unsigned = new UnsecuredJWT({ sub: 'alice' }).setExpirationTime('5m').encode();
    const header = Buffer.from('{"alg":"None"}').toString('base64url');
    const [, payload = ''] = unsigned.split('.');
    const { publicKey } = pair('rsa');
    for (const jwt of [bySecret(), jwtOf(secretOf('public_key', pemOf(publicKey)))]) {
      for (const token of [unsigned, `${header}.${payload}.`, `${header}.${payload}.x`]) {
        expect(await ask(jwt, token)).toMatchObject(refused);
      }
    }
  });

  it('X1 are refused when any part of them was changed', async () => {
    const token = await sign(shared);
    const [header = '', payload = '', signature = ''] = token.split('.');
    const forged = Buffer.from('{"sub":"bob","exp":9999999999}').toString('base64url');
    const other = createSecretKey(Buffer.from(`${secret}x`));
    const tokens = [
      `${header}.${forged}.${signature}`,
      `${header}.${payload}.`,
      `${header}.${payload}.${'A'.repeat(signature.length)}`,
      await sign(other),
      'a.b.c',
      `${'a'.repeat(20_000)}.b.c`,
    ];
    for (const one of tokens) expect(await ask(bySecret(), one)).toMatchObject(refused);
  });

  it('X1 are refused when expired, without an expiry, and before their time', async () => {
    const now = Math.floor(Date.now() / 1_000);
    for (const claims of [{ exp: now - 1 }, { exp: undefined }, { nbf: now + 60 }]) {
      const outcome = await ask(bySecret(), await sign(shared, { claims }));
      expect({ claims, outcome }).toMatchObject({ claims, outcome: refused });
    }
    // The clock of the issuer may be a little ahead.
    expect(await ask(bySecret(), await sign(shared, { claims: { nbf: now + 2 } }))).toMatchObject(
      alice,
    );
    const exp = now + 77;
    expect(await ask(bySecret(), await sign(shared, { claims: { exp } }))).toMatchObject({
      identity: { credential: { expiresAtMs: exp * 1_000 } },
    });
  });

  it('X1 X6 are refused with the reason: to the client where the signature was good, to the log by kind', async () => {
    const now = Math.floor(Date.now() / 1_000);
    const lines: Record<string, unknown>[] = [];
    const log = pino({ level: 'info' }, { write: (line: string) => lines.push(JSON.parse(line)) });
    const jwt = bySecret({ issuer: 'https://issuer.example', audience: 'sluice' });
    const { authenticate } = makeCredentials({ tokens: [], jwt }, followSecrets([], silent), log);
    const right = { iss: 'https://issuer.example', aud: 'sluice' };
    const other = createSecretKey(Buffer.from(`${secret}x`));
    const cases: [string, string, RegExp][] = [
      ['expired', await sign(shared, { claims: { ...right, exp: now - 60 } }), /have expired/],
      [
        'not_yet_valid',
        await sign(shared, { claims: { ...right, nbf: now + 60 } }),
        /not valid yet/,
      ],
      ['no_expiry', await sign(shared, { claims: { ...right, exp: undefined } }), /no expiry/],
      ['wrong_audience', await sign(shared, { claims: { ...right, aud: 'x' } }), /audience/],
      ['wrong_issuer', await sign(shared, { claims: { ...right, iss: 'x' } }), /issuer/],
      ['no_principal', await sign(shared, { claims: { ...right, sub: '' } }), /no principal/],
      ['bad_signature', await sign(other, { claims: { ...right, exp: now - 60 } }), /not accepted/],
      ['malformed', 'a.b.c', /not accepted/],
      ['unknown_token', 'guess', /not accepted/],
    ];
    for (let round = 0; round < 3; round++) {
      for (const [reason, token, message] of cases) {
        expect({ reason, outcome: await authenticate(token) }).toMatchObject({
          ...{ reason, outcome: { ...refused, message: expect.stringMatching(message) } },
        });
      }
    }
    const said = lines.map(({ msg, reason, count }) => ({ msg, reason, count }));
    const msg = 'credentials were refused';
    expect(said).toEqual(cases.map(([reason]) => ({ msg, reason, count: 1 })));
    for (const [, token] of cases.slice(0, -3)) {
      expect(JSON.stringify(lines)).not.toContain(token.split('.')[1]);
    }
  });

  it('X1 are checked against issuer and audience', async () => {
    const jwt = bySecret({ issuer: 'https://issuer.example', audience: 'sluice' });
    const right = { iss: 'https://issuer.example', aud: ['other', 'sluice'] };
    expect(await ask(jwt, await sign(shared, { claims: right }))).toMatchObject(alice);
    for (const claims of [{}, { ...right, iss: 'https://other.example' }, { ...right, aud: 'x' }]) {
      expect(await ask(jwt, await sign(shared, { claims }))).toMatchObject(refused);
    }
  });

  it('X1 name principal and scopes in the claims of the configuration', async () => {
    const jwt = bySecret({ principalClaim: 'email', scopesClaim: 'perms' });
    const cases: [JWTPayload, readonly string[]][] = [
      [{ email: 'alice' }, ['read', 'write']],
      [{ email: 'alice', perms: 'openid read profile' }, ['read']],
      [{ email: 'alice', perms: ['admin', 'write'] }, ['write', 'admin']],
      [{ email: 'alice', perms: 'operate' }, ['operate']],
      [{ email: 'alice', perms: '' }, []],
      [{ email: 'alice', perms: 7 }, []],
    ];
    for (const [claims, scopes] of cases) {
      expect(await ask(jwt, await sign(shared, { claims }))).toMatchObject({
        identity: { principal: 'alice', scopes },
      });
    }
    for (const email of [undefined, '', 7, 'a\nb', 'x'.repeat(257)]) {
      expect(await ask(jwt, await sign(shared, { claims: { email } }))).toMatchObject(refused);
    }
  });

  it('X1 are taken by each of several secrets and keys that are valid at once', async () => {
    const next = 'e2b6d1c94a8f4b7d8c3a5f1e0d9b7a62';
    const jwt = jwtOf(secretOf('shared', next, secret));
    for (const value of [secret, next]) {
      const key = createSecretKey(Buffer.from(value));
      expect(await ask(jwt, await sign(key))).toMatchObject(alice);
    }
    const [first, second] = [pair('rsa'), pair('ed25519')];
    const keys = jwtOf(secretOf('public_key', pemOf(first.publicKey), pemOf(second.publicKey)));
    const tokens = [
      await sign(first.privateKey, { alg: 'RS256' }),
      await sign(second.privateKey, { alg: 'EdDSA' }),
    ];
    for (const token of tokens) expect(await ask(keys, token)).toMatchObject(alice);
  });
});

describe('the keys of an issuer', () => {
  const published = async (key: KeyObject, kid: string) => ({ ...(await exportJWK(key)), kid });

  it('X1 are fetched once, and once more for a key that is new', async () => {
    const [old, next] = [pair('rsa'), pair('ec')];
    const issuer = await startJwks([await published(old.publicKey, 'old')]);
    const { authenticate } = credentialsOf([], jwtOf({ kind: 'jwks', url: issuer.url }));
    const token = await sign(old.privateKey, { alg: 'RS256', kid: 'old' });
    for (let i = 0; i < 20; i++) expect(await authenticate(token)).toMatchObject(alice);
    expect(issuer.asked).toBe(1);

    issuer.keys = [await published(next.publicKey, 'next')];
    const later = await sign(next.privateKey, { alg: 'ES256', kid: 'next' });
    await eventually(async () => expect(await authenticate(later)).toMatchObject(alice), 15_000);
    expect(await authenticate(token)).toMatchObject(refused);
    // Tokens with unknown keys cannot make the gateway ask again and again.
    for (let i = 0; i < 20; i++) {
      const unknown = await sign(next.privateKey, { alg: 'ES256', kid: `made-up-${i}` });
      expect(await authenticate(unknown)).toMatchObject(refused);
    }
    expect(issuer.asked).toBe(2);
    await issuer.close();
  });

  it('X1 are tried one after the other for a token that names none', async () => {
    const [one, two] = [pair('ed25519'), pair('ed25519')];
    const issuer = await startJwks([
      await published(one.publicKey, 'one'),
      await published(two.publicKey, 'two'),
    ]);
    const jwt = jwtOf({ kind: 'jwks', url: issuer.url });
    for (const { privateKey } of [one, two]) {
      expect(await ask(jwt, await sign(privateKey, { alg: 'EdDSA' }))).toMatchObject(alice);
    }
    const foreign = await sign(pair('ed25519').privateKey, { alg: 'EdDSA' });
    expect(await ask(jwt, foreign)).toMatchObject(refused);
    await issuer.close();
  });

  it('X1 that cannot be fetched make tokens neither valid nor invalid, until they can', async () => {
    const { publicKey, privateKey } = pair('ec');
    const issuer = await startJwks([await published(publicKey, 'k')]);
    issuer.status = 500;
    const { authenticate } = credentialsOf([], jwtOf({ kind: 'jwks', url: issuer.url }));
    const token = await sign(privateKey, { alg: 'ES256', kid: 'k' });
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => authenticate(token)));
    for (const outcome of outcomes) expect(outcome).toMatchObject(unavailable);
    expect(issuer.asked).toBe(1);
    issuer.status = 200;
    await eventually(async () => expect(await authenticate(token)).toMatchObject(alice), 10_000);
    await issuer.close();

    const nobody = credentialsOf([], jwtOf({ kind: 'jwks', url: issuer.url }));
    expect(await nobody.authenticate(token)).toMatchObject(unavailable);
    expect(await nobody.authenticate('no-token')).toMatchObject(refused);
  });
});
