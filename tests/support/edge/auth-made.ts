import { pino } from 'pino';
import type { Auth, JwtAuth, Scope } from '../../../apps/gateway/src/config/config-types.js';
import type { Secret } from '../../../apps/gateway/src/config/secret.js';
import {
  type Credentials,
  everybody,
  makeCredentials,
} from '../../../apps/gateway/src/edge/access/authenticate.js';
import { followSecrets } from '../../../apps/gateway/src/edge/access/live-secrets.js';

export const silent = pino({ level: 'silent' });

export const secretOf = (kind: Secret['kind'], ...values: string[]): Secret => ({
  kind,
  key: `test.${kind}`,
  file: null,
  values,
  mayBeWeak: true,
});

type Token = {
  readonly token: string;
  readonly principal: string;
  readonly scopes: readonly Scope[];
};

export const tokensOf = (tokens: readonly Token[]): Auth['tokens'] =>
  tokens.map(({ token, principal, scopes }) => ({
    secret: secretOf('token', token),
    principal,
    scopes,
  }));

export const jwtOf = (keys: JwtAuth['keys'], more: Partial<JwtAuth> = {}): JwtAuth => ({
  keys,
  issuer: null,
  audience: null,
  principalClaim: 'sub',
  scopesClaim: 'scope',
  ...more,
});

/** Credentials whose secrets stay as they are; no tokens and no jwt: everybody may do everything. */
export function credentialsOf(tokens: readonly Token[], jwt: JwtAuth | null = null): Credentials {
  if (tokens.length === 0 && jwt === null) return everybody;
  const live = followSecrets([], silent);
  return makeCredentials({ tokens: tokensOf(tokens), jwt }, live, silent);
}
