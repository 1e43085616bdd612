import type { Scope } from '../../config/config-types.js';
import type { Identity } from './identity.js';

/**
 * By which right a request is answered:
 * - `caller`: by the scope of the path, for the caller's own sessions;
 * - `operate`: for the sessions of all principals, but only ids, states and codes (`http/shown.ts`);
 * - `admin`: for all principals, in full.
 */
export type Standing = 'caller' | 'operate' | 'admin';

type Asked = {
  readonly access: 'public' | Scope;
  /** Whether scope `operate` reaches the path too. */
  readonly operate?: boolean;
};

/** How an identity stands to a path; undefined: it has none of the scopes that the path needs. */
export function standingOf(
  { scopes }: Pick<Identity, 'scopes'>,
  { access, operate = false }: Asked,
): Standing | undefined {
  if (scopes.includes('admin')) return 'admin';
  if (access === 'public' || scopes.includes(access)) return 'caller';
  return operate && scopes.includes('operate') ? 'operate' : undefined;
}

/** The scopes of which a path needs one, for people. */
export const neededScopes = ({ access, operate = false }: Asked): string =>
  operate ? `"${access}" or "operate"` : `"${access}"`;
