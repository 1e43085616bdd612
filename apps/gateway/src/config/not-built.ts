import { type Tree, valueAt } from './tree.js';

const notBuilt = ['redis.cluster'];

const isSet = (tree: Tree, key: string) => valueAt(tree, key.split('.')) !== undefined;

/** Faults for features that this release lacks: running without them is not what was asked for. */
export function notBuiltFaults(tree: Tree): string[] {
  const keys = notBuilt.filter((key) => isSet(tree, key));
  return keys.map((key) => `${key}: not built yet; leave it out`);
}
