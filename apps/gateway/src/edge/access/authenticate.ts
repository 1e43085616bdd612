import { createHash, timingSafeEqual } from 'node:crypto';
import type { Logger } from '@sluice/runtime';
import type { Auth, Scope } from '../../config/config-types.js';
import type { Authenticate, AuthenticateOutcome, Identity } from './identity.js';
import { looksSigned, makeVerifyJwt } from './jwt.js';
import { type LiveSecrets, whileUnchanged } from './live-secrets.js';
import { makeTellRefused, refusedFor } from './refused-credentials.js';

const always = { fingerprint: '', expiresAtMs: Number.POSITIVE_INFINITY };

/** The identity of everybody on a node without `auth` (loopback only, X3). */
const local: Identity = {
  principal: 'local',
  scopes: ['read', 'write', 'admin'],
  credential: always,
};

/** The identity of a request for a public path without a credential: it may do nothing else. */
export const nobody: Identity = { principal: '', scopes: [], credential: always };

/** `admin` includes the others. */
export function allows({ scopes }: Pick<Identity, 'scopes'>, scope: Scope): boolean {
  return scopes.includes(scope) || scopes.includes('admin');
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

export type Credentials = {
  readonly authenticate: Authenticate;
  /** False once the secret behind an identity is no longer among those that are valid. */
  isInForce(identity: Identity): boolean;
};

/** No `auth`: everything is allowed. */
export const everybody: Credentials = {
  authenticate: () => ({ kind: 'ok', identity: local }),
  isInForce: () => true,
};

/**
 * Checks static tokens, then signed ones. Static ones are compared as SHA-256 digests, all of them each time, so that
 * the time it takes reveals neither their length nor how near a guess came (X1).
 */
export function makeCredentials(auth: Auth, live: LiveSecrets, log: Logger): Credentials {
  const known = whileUnchanged(live, () => tokensInForce(auth, live));
  const jwt = auth.jwt === null ? undefined : makeVerifyJwt(auth.jwt, live, log);
  const tell = makeTellRefused(log);
  const report = (who: AuthenticateOutcome) => {
    if (who.kind === 'refused') tell(who);
    return who;
  };
  return {
    authenticate(credential) {
      if (credential === undefined) {
        return { kind: 'refused', code: 'auth_required', message: 'Credentials are required.' };
      }
      const presented = digest(credential);
      let identity: Identity | undefined;
      for (const entry of known().entries) {
        if (timingSafeEqual(entry.digest, presented)) identity ??= entry.identity;
      }
      if (identity !== undefined) return { kind: 'ok', identity };
      const who =
        jwt && looksSigned(credential) ? jwt.verify(credential) : refusedFor('unknown_token');
      return who instanceof Promise ? who.then(report) : report(who);
    },
    isInForce: (identity) =>
      known().inForce.has(nameOf(identity)) ||
      jwt?.isKnown(identity.credential.fingerprint) === true,
  };
}

const nameOf = ({ principal, credential }: Identity) => `${credential.fingerprint} ${principal}`;

function tokensInForce({ tokens }: Auth, live: LiveSecrets) {
  const entries = tokens.flatMap(({ secret, principal, scopes }) =>
    live.valuesOf(secret).map((value) => {
      const hash = digest(value);
      const credential = { ...always, fingerprint: `token ${hash.toString('hex')}` };
      const identity: Identity = { principal, scopes, credential };
      return { digest: hash, identity };
    }),
  );
  return { entries, inForce: new Set(entries.map(({ identity }) => nameOf(identity))) };
}

/**
 * For the main port of a node with an admin port: scope `admin` counts there as `read` and `write` only, and scope
 * `operate` not at all.
 */
export function withoutOperators(authenticate: Authenticate): Authenticate {
  const reduced = (who: AuthenticateOutcome): AuthenticateOutcome => {
    if (who.kind !== 'ok') return who;
    const { scopes } = who.identity;
    if (!scopes.includes('admin') && !scopes.includes('operate')) return who;
    const left = (['read', 'write'] as const).filter((scope) => allows({ scopes }, scope));
    return { kind: 'ok', identity: { ...who.identity, scopes: left } };
  };
  return (credential) => {
    const who = authenticate(credential);
    return who instanceof Promise ? who.then(reduced) : reduced(who);
  };
}

/** The subprotocol a browser names beside its credential; the only one that is ever selected. */
export const SUBPROTOCOL = 'sluice.v1';

function offered(protocols: string): string[] {
  return protocols.split(',').map((protocol) => protocol.trim());
}

/** Whether the header `Sec-WebSocket-Protocol` names SUBPROTOCOL. */
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
