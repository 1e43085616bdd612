import { keyPaths } from './known-keys.js';
import { type Given, schema } from './schema.js';
import { type Tree, valueAt } from './tree.js';

const notBuilt = ['redis.sentinel', 'redis.cluster', 'telemetry.otlp_endpoint'];

const notEnforced = ['metrics.public'];

const isSet = (tree: Tree, key: string) => valueAt(tree, key.split('.')) !== undefined;

/** Features that this release lacks: to run without them would not be what was asked for. */
export function notBuiltFaults(tree: Tree, given: Given): string[] {
  const keys = notBuilt.filter((key) => isSet(tree, key));
  if (given.lease?.quorum?.length) keys.push('lease.quorum');
  return keys.map((key) => `${key}: not built yet; leave it out`);
}

/** Limits that this release accepts and does not enforce: one line for all of them. */
export function notEnforcedWarnings(tree: Tree): string[] {
  const within = (key: string) =>
    notEnforced.some((prefix) => key === prefix || key.startsWith(`${prefix}.`));
  const set = keyPaths(schema).filter((key) => within(key) && isSet(tree, key));
  return set.length > 0 ? [`accepted, but not enforced yet: ${set.join(', ')}`] : [];
}
