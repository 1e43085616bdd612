import { createHash, createPublicKey, createSecretKey } from 'node:crypto';
import type { Logger } from '@sluice/runtime';
import { errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify, type KeyObject } from 'jose';
import type { JwtAuth, Scope } from '../../config/config-types.js';
import { algorithmsOf, type Secret } from '../../config/secret.js';
import type { AuthenticateOutcome, Identity, RefusalReason } from './identity.js';
import { KeysUnavailable, remoteKeys } from './jwks.js';
import { type LiveSecrets, whileUnchanged } from './live-secrets.js';
import { isOfKnownSigner, reasonOf, refusedFor } from './refused-credentials.js';

/** Longer tokens are not looked at; those of the large issuers have 1 to 4 KiB. */
const TOKEN_BYTES_MAX = 16 * 1024;
/** Verifications at once; there are more only when keys do not come. */
const VERIFYING_MAX = 1_000;
/** How far the issuer's clock may be ahead of ours. The expiry of a token is checked exactly. */
const CLOCK_TOLERANCE_S = 5;

const SHARED_ALGORITHMS = ['HS256', 'HS384', 'HS512'];
/** Never `HS...`: everybody can read these keys, so none of them is a secret. */
const PUBLISHED_ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512'],
  ...['EdDSA', 'Ed25519'],
];

/** One key that a token may be signed with, and the algorithms that this kind of key allows. */
type Key = {
  readonly key: KeyObject | JWTVerifyGetKey;
  readonly algorithms: readonly string[];
  /** Names the key in an identity, to tell later whether it is still valid. */
  readonly fingerprint: string;
};

export type VerifyJwt = {
  verify(token: string): Promise<AuthenticateOutcome>;
  isKnown(fingerprint: string): boolean;
};

/** Whether a credential has the form of a signed token; only then its signature is verified. */
export const looksSigned = (credential: string) =>
  credential.length <= TOKEN_BYTES_MAX && /^[\w-]+\.[\w-]+\.[\w-]*$/.test(credential);

/** Checks signed tokens: signature, issuer, audience and expiry, and then reads whose they are. */
export function makeVerifyJwt(jwt: JwtAuth, live: LiveSecrets, log: Logger): VerifyJwt {
  const currentKeys = keysOf(jwt, live, log);
  let verifying = 0;

  const verify = async (token: string): Promise<AuthenticateOutcome> => {
    let reason: RefusalReason = 'unknown_key';
    for (const { key, algorithms, fingerprint } of currentKeys()) {
      try {
        const payload = await payloadOf(token, { key, algorithms, jwt });
        return identityOf(payload, fingerprint, jwt);
      } catch (error) {
        if (error instanceof KeysUnavailable) return unavailable();
        if (!(error instanceof errors.JOSEError)) throw error;
        log.debug({ reason: error.code, why: error.message }, 'a signed token was refused');
        reason = reasonOf(error);
        if (isOfKnownSigner(reason)) break;
        // Perhaps it is signed with another one of the valid keys.
      }
    }
    return refusedFor(reason);
  };

  return {
    async verify(token) {
      if (verifying >= VERIFYING_MAX) return unavailable();
      verifying++;
      try {
        return await verify(token);
      } finally {
        verifying--;
      }
    },
    isKnown: (fingerprint) => currentKeys().some((key) => key.fingerprint === fingerprint),
  };
}

function keysOf({ keys }: JwtAuth, live: LiveSecrets, log: Logger): () => readonly Key[] {
  if (keys.kind === 'jwks') {
    const key = remoteKeys(keys.url, log);
    const all = [{ key, algorithms: PUBLISHED_ALGORITHMS, fingerprint: 'jwks' }];
    return () => all;
  }
  return whileUnchanged(live, () => live.valuesOf(keys).map((value) => keyOf(keys.kind, value)));
}

function keyOf(kind: Secret['kind'], value: string): Key {
  const fingerprint = `jwt ${createHash('sha256').update(value).digest('hex')}`;
  if (kind === 'public_key') {
    return { key: createPublicKey(value), algorithms: algorithmsOf(value), fingerprint };
  }
  return { key: createSecretKey(Buffer.from(value)), algorithms: SHARED_ALGORITHMS, fingerprint };
}

type Verification = Omit<Key, 'fingerprint'> & { readonly jwt: JwtAuth };

async function payloadOf(token: string, { key, algorithms, jwt }: Verification) {
  const options = {
    algorithms: [...algorithms],
    requiredClaims: ['exp'],
    clockTolerance: CLOCK_TOLERANCE_S,
    ...(jwt.issuer === null ? {} : { issuer: jwt.issuer }),
    ...(jwt.audience === null ? {} : { audience: jwt.audience }),
  };
  if (typeof key !== 'function') return (await jwtVerify(token, key, options)).payload;
  try {
    return (await jwtVerify(token, key, options)).payload;
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    // The token does not name its key: each one that fits is tried.
    for await (const candidate of error) {
      const verified = await jwtVerify(token, candidate, options).catch(anotherKey);
      if (verified) return verified.payload;
    }
    throw new errors.JWSSignatureVerificationFailed();
  }
}

function anotherKey(error: unknown): undefined {
  if (error instanceof errors.JWSSignatureVerificationFailed) return undefined;
  throw error;
}

function identityOf(
  payload: JWTPayload,
  fingerprint: string,
  { principalClaim, scopesClaim }: JwtAuth,
): AuthenticateOutcome {
  const expiresAtMs = (payload.exp ?? 0) * 1_000;
  if (expiresAtMs <= Date.now()) return refusedFor('expired');
  const principal = payload[principalClaim];
  if (typeof principal !== 'string' || !/^[^\n\r\0]{1,256}$/.test(principal)) {
    return refusedFor('no_principal');
  }
  const identity: Identity = {
    principal,
    scopes: scopesOf(payload[scopesClaim]),
    credential: { fingerprint, expiresAtMs },
  };
  return { kind: 'ok', identity };
}

/** The claim is `"read write"` or a list. Without it: the same as for a static token without scopes. */
function scopesOf(claim: unknown): Scope[] {
  if (claim === undefined) return ['read', 'write'];
  const named: unknown[] = typeof claim === 'string' ? claim.split(' ') : [];
  const listed = Array.isArray(claim) ? claim : named;
  return (['read', 'write', 'operate', 'admin'] as const).filter((scope) => listed.includes(scope));
}

function unavailable(): AuthenticateOutcome {
  const message = 'Credentials cannot be verified at this moment; try again.';
  return { kind: 'refused', code: 'unavailable', message };
}
