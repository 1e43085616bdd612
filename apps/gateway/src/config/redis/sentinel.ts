import { resolve } from 'node:path';
import type { CredentialsConfig, SentinelConfig } from '../config-types.js';
import { readSecret, type Surroundings } from '../interpolate.js';
import type { Given } from '../schema.js';
import { isTree, type Tree } from '../tree.js';

type GivenSentinel = NonNullable<NonNullable<Given['redis']>['sentinel']>;
type Who = '' | 'sentinel_';

/** `redis.sentinel` with its passwords read; null: it is not given. What is wrong is added to the faults. */
export function sentinelOf(given: Given, tree: Tree, around: Surroundings): SentinelConfig | null {
  const { sentinel, url, url_file } = isTree(tree.redis) ? tree.redis : {};
  if (sentinel === undefined) return null;
  const { faults } = around;
  if (url !== undefined || url_file !== undefined) {
    faults.push('redis: give sentinel or url (url_file), not both; sentinels name the primary');
  }
  const found = given.redis?.sentinel;
  if (!isTree(sentinel) || !found) return null;
  if (sentinel.name === undefined) {
    faults.push('redis.sentinel.name: is missing; give the name in `sentinel monitor`');
  }
  if (sentinel.nodes === undefined || found.nodes?.length === 0) {
    faults.push('redis.sentinel.nodes: is missing; give host:port of each sentinel');
  }
  return {
    name: found.name ?? '',
    nodes: found.nodes ?? [],
    db: found.db ?? 0,
    data: credentialsOf(found, '', around),
    sentinels: credentialsOf(found, 'sentinel_', around),
  };
}

function credentialsOf(found: GivenSentinel, who: Who, around: Surroundings): CredentialsConfig {
  const username = found[`${who}username`] ?? null;
  const file = found[`${who}password_file`];
  const given = found[`${who}password`] ?? null;
  const key = `redis.sentinel.${who}password`;
  if (given !== null && file !== undefined) {
    around.faults.push(`${key}: give it or ${who}password_file, not both`);
  }
  if (username !== null && given === null && file === undefined) {
    around.faults.push(`${key}: is missing; a user needs one (or ${who}password_file)`);
  }
  const read =
    file === undefined
      ? given
      : readSecret(file, around, ['redis', 'sentinel', `${who}password_file`])?.trim();
  if (read === '') around.faults.push(`${key}_file: ${file} is empty; write the password into it`);
  return {
    username,
    password: read ?? null,
    passwordFile: file === undefined ? null : resolve(around.baseDir, file),
    tls: found[`${who}tls`] ?? false,
  };
}
