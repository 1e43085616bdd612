import { readSecret, type Surroundings } from './interpolate.js';
import { isTree, type Path, showPath, type Tree, valueAt, withValue } from './tree.js';

/**
 * Replaces `token_file` and `url_file` by `token` and `url` with the file's content. Agents read
 * theirs themselves.
 */
export function readSecretFiles(tree: Tree, around: Surroundings): Tree {
  let result = tree;
  const replace = (path: readonly string[], changed: unknown) => {
    result = withValue(result, path, changed) ?? result;
  };
  if (isTree(tree.redis)) {
    result = { ...result, redis: readOne(tree.redis, 'url', { path: ['redis'], around }) };
  }
  const tokens = valueAt(tree, ['gateway', 'auth', 'tokens']);
  if (Array.isArray(tokens)) {
    const read = tokens.map((token, at) =>
      readOne(token, 'token', { path: ['gateway', 'auth', 'tokens', at], around }),
    );
    replace(['gateway', 'auth', 'tokens'], read);
  }
  return result;
}

type Place = { readonly path: Path; readonly around: Surroundings };

function readOne(value: unknown, key: string, { path, around }: Place): unknown {
  const fileKey = `${key}_file`;
  if (!isTree(value) || typeof value[fileKey] !== 'string') return value;
  const { [fileKey]: file, ...rest } = value;
  if (value[key] !== undefined) {
    around.faults.push(`${showPath(path)}: give ${key} or ${fileKey}, not both`);
    return rest;
  }
  const content = readSecret(String(file), around, [...path, fileKey]);
  // A file that cannot be read is one fault, not also a missing value.
  return { ...rest, [key]: content ?? 'unreadable' };
}
