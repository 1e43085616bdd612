import { createHash, timingSafeEqual } from 'node:crypto';
import type { Config, Scope } from '../config-types.js';
import type { Authenticate, Identity } from './transport.js';

/** Who everybody is on a node without `auth` (loopback only, X3). */
const local: Identity = { principal: 'local', scopes: ['read', 'write', 'admin'] };

/** Whoever reads a public path without a credential: may do nothing else. */
export const nobody: Identity = { principal: '', scopes: [] };

/** `admin` includes the other two. */
export function allows(identity: Identity, scope: Scope): boolean {
  return identity.scopes.includes(scope) || identity.scopes.includes('admin');
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/**
 * Credentials are compared as SHA-256 digests, all of them each time, so that neither the length nor
 * the place of a near miss can be read off the clock (X1).
 */
export function makeAuthenticate(auth: Config['gateway']['auth']): Authenticate {
  if (auth === null) return () => ({ kind: 'ok', identity: local });
  const known = auth.tokens.map(({ token, principal, scopes }) => ({
    digest: digest(token),
    identity: { principal, scopes },
  }));
  return (credential) => {
    if (credential === undefined) {
      return { kind: 'refused', code: 'auth_required', message: 'Credentials are required.' };
    }
    const presented = digest(credential);
    let identity: Identity | undefined;
    for (const entry of known) {
      if (timingSafeEqual(entry.digest, presented)) identity ??= entry.identity;
    }
    if (identity !== undefined) return { kind: 'ok', identity };
    return {
      kind: 'refused',
      code: 'auth_unauthorized',
      message: 'The credentials were not accepted.',
    };
  };
}

/** The subprotocol a browser names beside its credential; the only one that is ever selected. */
export const SUBPROTOCOL = 'sluice.v1';

function offered(protocols: string): string[] {
  return protocols.split(',').map((protocol) => protocol.trim());
}

export function offersSubprotocol(protocols: string): boolean {
  return offered(protocols).includes(SUBPROTOCOL);
}

/** Where a request may carry its credential; header values are '' when absent. */
export type Presented = {
  readonly authorization: string;
  readonly protocols: string;
  readonly query: URLSearchParams;
};

/** First match wins: bearer header, subprotocol pair `sluice.v1, bearer.T`, `?token=T`. */
export function presentedCredential(presented: Presented): string | undefined {
  const bearer = /^Bearer +(\S.*)$/i.exec(presented.authorization)?.[1];
  if (bearer !== undefined) return bearer.trim();
  const protocols = offered(presented.protocols);
  const pair = protocols.find((protocol) => /^bearer\../.test(protocol));
  if (pair !== undefined && protocols.includes(SUBPROTOCOL)) return pair.slice('bearer.'.length);
  return presented.query.get('token') || undefined;
}
