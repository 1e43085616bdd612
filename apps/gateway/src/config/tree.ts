/** A mapping of YAML or JSON, not yet checked against the schema. */
export type Tree = { readonly [key: string]: unknown };
export type Path = readonly (string | number)[];

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** JSON and YAML have no symbols as keys; zod's paths might. */
export function isKey(part: PropertyKey): part is string | number {
  return typeof part !== 'symbol';
}

/** `gateway.auth.tokens[0].token`, as faults name it. */
export function showPath(path: Path): string {
  return path
    .map((part, at) => (typeof part === 'number' ? `[${part}]` : `${at === 0 ? '' : '.'}${part}`))
    .join('');
}

/** undefined: there is nothing at `path`. */
export function valueAt(tree: unknown, path: Path): unknown {
  return path.reduce<unknown>((node, part) => {
    if (Array.isArray(node)) return node[Number(part)];
    return isTree(node) && Object.hasOwn(node, part) ? node[part] : undefined;
  }, tree);
}

/** A copy with `value` at `path`; undefined: something on the way is no mapping. */
export function withValue(tree: Tree, path: readonly string[], value: unknown): Tree | undefined {
  const [head = '', ...rest] = path;
  if (rest.length === 0) return put(tree, head, merge(own(tree, head), value));
  const child = own(tree, head) ?? {};
  const changed = isTree(child) ? withValue(child, rest, value) : undefined;
  return changed && put(tree, head, changed);
}

/** A copy without what is at `path`, or without the whole list that it is in. */
export function without(tree: Tree, path: Path): Tree {
  const [head = '', ...rest] = path;
  const child = own(tree, String(head));
  const kept = rest.length > 0 && isTree(child) ? without(child, rest) : undefined;
  return put(tree, String(head), kept);
}

/** Absent and `null` mean the same: the default applies. */
export function withoutNulls(tree: Tree): Tree {
  const entries = Object.entries(tree).filter(([, value]) => value !== null && value !== undefined);
  return Object.fromEntries(
    entries.map(([key, value]) => [key, isTree(value) ? withoutNulls(value) : value]),
  );
}

function merge(base: unknown, over: unknown): unknown {
  if (!isTree(base) || !isTree(over)) return over;
  return Object.entries(over).reduce<Tree>(
    (tree, [key, value]) => put(tree, key, merge(own(tree, key), value)),
    base,
  );
}

function own(tree: Tree, key: string): unknown {
  return Object.hasOwn(tree, key) ? tree[key] : undefined;
}

/** Through entries, so that a key named `__proto__` stays an ordinary key; undefined removes. */
function put(tree: Tree, key: string, value: unknown): Tree {
  const others = Object.entries(tree).filter(([k]) => k !== key);
  return Object.fromEntries(value === undefined ? others : [...others, [key, value]]);
}
