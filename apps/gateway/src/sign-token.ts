import { createSecretKey } from 'node:crypto';
import { exitStatus, StartError } from '@sluice/runtime';
import { SignJWT } from 'jose';
import type { Auth, Scope } from './config/config-types.js';

export type TokenClaims = {
  readonly principal: string;
  readonly scopes: readonly Scope[];
  readonly ttlMs: number;
};

/**
 * Makes a token that a gateway of this configuration accepts. Of several secrets it takes the first, which is the
 * newest one. Throws StartError when there is nothing to sign with.
 */
export async function signToken(auth: Auth | null, claims: TokenClaims): Promise<string> {
  const jwt = auth?.jwt;
  if (!jwt) throw new StartError(`gateway.auth.jwt is not set; ${remedy}`, exitStatus.config);
  const { keys } = jwt;
  if (keys.kind === 'jwks') throw cannotSign('jwks_url names public keys');
  if (keys.kind === 'public_key') throw cannotSign('public_key checks tokens and signs none');
  const token = new SignJWT({
    [jwt.principalClaim]: claims.principal,
    [jwt.scopesClaim]: claims.scopes.join(' '),
  })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setIssuedAt()
    .setExpirationTime(new Date(Date.now() + claims.ttlMs));
  if (jwt.issuer !== null) token.setIssuer(jwt.issuer);
  if (jwt.audience !== null) token.setAudience(jwt.audience);
  return token.sign(createSecretKey(Buffer.from(keys.values[0] ?? '')));
}

const remedy =
  'set gateway.auth.jwt.secret or secret_file, which `sluice token` then signs with ' +
  '(make one with: openssl rand -hex 32)';

function cannotSign(why: string): StartError {
  const issuer = 'get the token from whoever holds the private key';
  return new StartError(`gateway.auth.jwt.${why}: ${issuer}, or ${remedy}`, exitStatus.config);
}
