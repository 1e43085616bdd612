import type { JwtAuth } from '../config-types.js';
import type { Given } from '../schema.js';
import { valueAt } from '../tree.js';
import { type Checking, secretOf } from './auth-secret.js';
import { isLoopback } from './loopback.js';

type GivenJwt = NonNullable<NonNullable<NonNullable<Given['gateway']>['auth']>['jwt']>;

/** Checks `gateway.auth.jwt`. null: it is faulty, and its faults are added. */
export function jwtOf(given: GivenJwt, checking: Checking): JwtAuth | null {
  const place = 'gateway.auth.jwt';
  const { faults } = checking.around;
  const { secret, secret_file, public_key, public_key_file, jwks_url } = given;
  // Looked up in the tree: a faulty value is missing from `given`, and has its fault already.
  const isGiven = (name: string) =>
    valueAt(checking.tree, ['gateway', 'auth', 'jwt', name]) !== undefined;
  const isShared = isGiven('secret') || isGiven('secret_file');
  const ways = [isShared, isGiven('public_key') || isGiven('public_key_file'), isGiven('jwks_url')];
  if (ways.filter(Boolean).length !== 1) {
    faults.push(
      `${place}: needs exactly one of secret (or secret_file), public_key (or public_key_file) ` +
        'and jwks_url',
    );
    return null;
  }
  if (!isShared && given.audience === undefined) {
    checking.warnings.push(
      'gateway.auth.jwt.audience is not set: tokens that the same issuer made for others are taken too',
    );
  }
  if (!isGiven('jwks_url')) {
    const from = isShared
      ? { name: 'secret', value: secret, file: secret_file }
      : { name: 'public_key', value: public_key, file: public_key_file };
    const keys = secretOf(isShared ? 'shared' : 'public_key', { place, ...from }, checking);
    return typeof keys === 'string' ? null : { keys, ...claimsOf(given) };
  }
  if (jwks_url === undefined) return null;
  if (/^http:/.test(jwks_url) && !isLoopback(new URL(jwks_url).hostname)) {
    checking.warnings.push(
      'gateway.auth.jwt.jwks_url begins with http://: anyone on the network path can replace the keys; use https://',
    );
  }
  return { keys: { kind: 'jwks', url: jwks_url }, ...claimsOf(given) };
}

function claimsOf(given: GivenJwt): Omit<JwtAuth, 'keys'> {
  return {
    issuer: given.issuer ?? null,
    audience: given.audience ?? null,
    principalClaim: given.principal_claim ?? 'sub',
    scopesClaim: given.scopes_claim ?? 'scope',
  };
}
