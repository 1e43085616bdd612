import { resolve } from 'node:path';
import { readSecret, type Surroundings } from '../interpolate.js';
import { isTree, type Tree } from '../tree.js';

/**
 * Sets `redis.url` to the content of `redis.url_file`, whose path becomes absolute. Credentials
 * (access.ts) and agents read theirs themselves, and so do connections those of `redis.tls`.
 */
export function readSecretFiles(whole: Tree, around: Surroundings): Tree {
  const tree = withTlsPaths(whole, around.baseDir);
  const { redis } = tree;
  if (!isTree(redis) || typeof redis.url_file !== 'string') return tree;
  const { url_file: file, ...rest } = redis;
  if (redis.url !== undefined) {
    around.faults.push('redis: give url or url_file, not both');
    return { ...tree, redis: rest };
  }
  const content = readSecret(String(file), around, ['redis', 'url_file']);
  // A file that cannot be read is one fault, not also a missing value.
  const url = content?.trim() ?? 'redis://unreadable';
  return { ...tree, redis: { ...rest, url, url_file: resolve(around.baseDir, file) } };
}

/** The paths of `redis.tls` become absolute too. */
function withTlsPaths(tree: Tree, baseDir: string): Tree {
  const { redis } = tree;
  if (!isTree(redis) || !isTree(redis.tls)) return tree;
  const tls = Object.entries(redis.tls).map(([name, value]) => {
    const isPath = name.endsWith('_file') && typeof value === 'string' && value !== '';
    return [name, isPath ? resolve(baseDir, value) : value];
  });
  return { ...tree, redis: { ...redis, tls: Object.fromEntries(tls) } };
}
