import type { Auth, StaticToken } from '../config-types.js';
import type { Surroundings } from '../interpolate.js';
import type { Given } from '../schema.js';
import { type Tree, valueAt } from '../tree.js';
import { jwtOf } from './auth-jwt.js';
import { type Checking, secretOf } from './auth-secret.js';
import { isLoopback } from './loopback.js';

export type Access = { readonly auth: Auth | null; readonly warnings: readonly string[] };

export type AccessInputs = {
  readonly given: Given;
  /** Tells an absent `auth` from a faulty one. */
  readonly tree: Tree;
  readonly host: string;
  readonly around: Surroundings;
};

/** Decides who may connect, and from where (X3). Faults go to `around.faults`. */
export function accessOf({ given, tree, host, around }: AccessInputs): Access {
  if (valueAt(tree, ['gateway', 'auth']) === undefined) return open(host, around.faults);
  const checking: Checking = { tree, around, warnings: [], mayBeWeak: isLoopback(host) };
  const { tokens, jwt } = given.gateway?.auth ?? {};
  if (!tokens?.length && isEmpty(tree)) {
    around.faults.push(
      'gateway.auth: nobody could connect; give gateway.auth.tokens or gateway.auth.jwt, ' +
        'or leave gateway.auth out on a loopback address',
    );
  }
  const auth = { tokens: tokensOf(tokens ?? [], checking), jwt: jwt ? jwtOf(jwt, checking) : null };
  if (!checking.mayBeWeak && valueAt(tree, ['gateway', 'allowed_origins']) === undefined) {
    around.faults.push(
      `gateway.allowed_origins: ${host} can be reached from other machines; list the origins of the ` +
        'web pages that may connect, for example [https://app.example.com], ' +
        "or give [] for none but the gateway's own page",
    );
  }
  return { auth, warnings: checking.warnings };
}

type GivenAuth = NonNullable<NonNullable<Given['gateway']>['auth']>;

function tokensOf(given: NonNullable<GivenAuth['tokens']>, checking: Checking): StaticToken[] {
  const owners = new Map<string, number>();
  return given.flatMap(({ token, token_file, principal, scopes }, at): StaticToken[] => {
    const place = `gateway.auth.tokens[${at}]`;
    const from = { place, name: 'token', value: token, file: token_file };
    const secret = secretOf('token', from, checking);
    if (secret === 'absent') checking.around.faults.push(`${place}: needs token or token_file`);
    if (typeof secret === 'string') return [];
    for (const value of secret.values) {
      const first = owners.get(value);
      if (first !== undefined) {
        const where = `${place}: has the same token as gateway.auth.tokens[${first}]`;
        checking.around.faults.push(where);
      }
      owners.set(value, at);
    }
    // Without `admin`: it crosses principals, so it must be given by name.
    return [{ secret, principal, scopes: scopes ?? ['read', 'write'] }];
  });
}

function open(host: string, faults: string[]): Access {
  if (isLoopback(host)) {
    const warning = `gateway.auth is not set: on ${host} everything is allowed as principal "local"`;
    return { auth: null, warnings: [warning] };
  }
  faults.push(
    `gateway.host: ${host} can be reached from other machines, but gateway.auth is not set; ` +
      'add gateway.auth.tokens, for example ' +
      '[{token_file: /run/secrets/alice, principal: alice, scopes: [read, write]}], ' +
      'or set gateway.host to 127.0.0.1',
  );
  return { auth: null, warnings: [] };
}

/** Whether `auth` lets nobody in. Faulty tokens and a faulty `jwt` do not count: they have their own faults. */
function isEmpty(tree: Tree): boolean {
  const tokens = valueAt(tree, ['gateway', 'auth', 'tokens']);
  const none = tokens === undefined || (Array.isArray(tokens) && tokens.length === 0);
  return none && valueAt(tree, ['gateway', 'auth', 'jwt']) === undefined;
}
