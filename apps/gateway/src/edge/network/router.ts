import type { Route } from './transport.js';

export type Found =
  | { readonly kind: 'route'; readonly route: Route; readonly params: Record<string, string> }
  | { readonly kind: 'wrong_method'; readonly allow: string }
  | { readonly kind: 'unknown' };

export type FindRoute = (method: string, path: string) => Found;

/** Matches the `:names` of a route's path with the segments of a request; undefined: another path. */
function match(pattern: readonly string[], path: readonly string[]) {
  if (pattern.length !== path.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, expected] of pattern.entries()) {
    const segment = path[index] ?? '';
    if (!expected.startsWith(':')) {
      if (segment !== expected) return undefined;
      continue;
    }
    const value = decoded(segment);
    if (value === undefined || value === '') return undefined;
    params[expected.slice(1)] = value;
  }
  return params;
}

function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

/** The route for GET serves HEAD too. A path without `:names` goes before one with them. */
export function makeFindRoute(routes: readonly Route[]): FindRoute {
  const compiled = routes
    .map((route) => ({ route, pattern: route.path.split('/') }))
    .sort((a, b) => Number(a.route.path.includes(':')) - Number(b.route.path.includes(':')));

  return (method, path) => {
    const segments = path.split('/');
    const wanted = method === 'HEAD' ? 'GET' : method;
    const elsewhere: Route[] = [];
    for (const { route, pattern } of compiled) {
      const params = match(pattern, segments);
      if (params === undefined) continue;
      if (route.method === wanted) return { kind: 'route', route, params };
      elsewhere.push(route);
    }
    if (elsewhere.length === 0) return { kind: 'unknown' };
    const methods = new Set(
      elsewhere.flatMap(({ method: served }) => (served === 'GET' ? ['GET', 'HEAD'] : [served])),
    );
    return {
      kind: 'wrong_method',
      allow: [...methods, 'OPTIONS'].join(', '),
    };
  };
}
