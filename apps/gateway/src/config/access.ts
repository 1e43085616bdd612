import type { StaticToken } from '../config-types.js';
import type { Given } from './schema.js';
import { type Tree, valueAt } from './tree.js';

export type Access = {
  readonly auth: { readonly tokens: readonly StaticToken[] } | null;
  readonly faults: readonly string[];
  readonly warnings: readonly string[];
};

/** Who may connect, from where (X3). `tree` tells an absent `auth` from a faulty one. */
export function accessOf(given: Given, tree: Tree, host: string): Access {
  if (valueAt(tree, ['gateway', 'auth']) === undefined) return open(host);
  const tokens = given.gateway?.auth?.tokens;
  const faults: string[] = [];
  if (!tokens?.length && isEmpty(tree)) {
    faults.push(
      'gateway.auth: nobody could connect; give at least one of gateway.auth.tokens, ' +
        'or leave gateway.auth out on a loopback address',
    );
  }
  const owners = new Map<string, number>();
  const known = (tokens ?? []).flatMap(({ token, principal, scopes }, at): StaticToken[] => {
    const place = `gateway.auth.tokens[${at}]`;
    if (token === undefined) {
      faults.push(`${place}: needs token or token_file`);
      return [];
    }
    const first = owners.get(token);
    if (first !== undefined) {
      faults.push(`${place}: has the same token as gateway.auth.tokens[${first}]`);
    }
    owners.set(token, at);
    // Without `admin`: that crosses principals and is asked for by name.
    return [{ token, principal, scopes: scopes ?? ['read', 'write'] }];
  });
  return { auth: { tokens: known }, faults, warnings: [] };
}

function open(host: string): Access {
  if (isLoopback(host)) {
    const warning = `gateway.auth is not set: on ${host} everything is allowed as principal "local"`;
    return { auth: null, faults: [], warnings: [warning] };
  }
  const fault =
    `gateway.host: ${host} can be reached from other machines, but gateway.auth is not set; ` +
    'add gateway.auth.tokens, for example ' +
    '[{token_file: /run/secrets/alice, principal: alice, scopes: [read, write]}], ' +
    'or set gateway.host to 127.0.0.1';
  return { auth: null, faults: [fault], warnings: [] };
}

export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  return /^(127(\.\d{1,3}){3}|localhost|::1|::ffff:127(\.\d{1,3}){3})$/.test(bare);
}

/** Faulty tokens and a `jwt` have faults of their own. */
function isEmpty(tree: Tree): boolean {
  const tokens = valueAt(tree, ['gateway', 'auth', 'tokens']);
  const none = tokens === undefined || (Array.isArray(tokens) && tokens.length === 0);
  return none && valueAt(tree, ['gateway', 'auth', 'jwt']) === undefined;
}
