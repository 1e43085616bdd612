import { exitStatus, type Logger, StartError } from '@sluice/runtime';
import { infoField, isAtLeast, serverMode, serverTitle } from '../server/server-info.js';
import type { Connection } from './connect.js';

/**
 * First releases that have every command Sluice uses (EVALSHA_RO). A Valkey of any version has: it began as Redis 7.2.
 * What reports another name is judged by the version of Redis that it says it behaves like.
 */
const OLDEST = [7, 0] as const;
/** What to do about an older one. */
export const OLDEST_TEXT = `use Redis ${OLDEST.join('.')} or newer, or Valkey`;

export type Refusal = { readonly what: string; readonly todo: string; readonly status: number };

/** Why no node can use this Redis; undefined: one can. What INFO does not say is taken to fit. */
export function serverRefusal(info: string, isCluster = false): Refusal | undefined {
  const alike = infoField(info, 'redis_version');
  if (alike !== '' && !isAtLeast(alike, OLDEST)) {
    const what = `this server is ${serverTitle(info)}, which lacks commands that Sluice uses`;
    return { what, todo: OLDEST_TEXT, status: exitStatus.config };
  }
  const mode = serverMode(info);
  if (mode === 'cluster' && !isCluster) {
    const what = 'this Redis runs in cluster mode';
    const todo = 'set redis.cluster.nodes in place of redis.url';
    return { what, todo, status: exitStatus.config };
  }
  if (mode !== '' && mode !== 'cluster' && isCluster) {
    const what = 'this Redis does not run in cluster mode';
    const todo = 'set redis.url in place of redis.cluster.nodes';
    return { what, todo, status: exitStatus.config };
  }
  if (infoField(info, 'role') === 'slave') {
    const what = 'this Redis is a replica, which takes no writes';
    // This may pass: it may be promoted, or the address may lead to another one.
    return { what, todo: 'set redis.url to the primary', status: exitStatus.tempFail };
  }
  return undefined;
}

/** Throws StartError on a Redis that cannot serve; logs a warning when it may evict acknowledged data. */
export async function checkServer(connection: Connection, log: Logger): Promise<void> {
  for (const info of await connection.askEach((client) => client.info()))
    checkInfo(info, connection.isSharded, log);
}

function checkInfo(info: string, isCluster: boolean, log: Logger): void {
  const refusal = serverRefusal(info, isCluster);
  if (refusal) throw new StartError(`${refusal.what}; ${refusal.todo}`, refusal.status);
  const policy = infoField(info, 'maxmemory_policy');
  if (policy !== '' && policy !== 'noeviction') {
    log.warn(
      { policy },
      'redis may evict what was acknowledged: set its maxmemory-policy to noeviction',
    );
  }
}
