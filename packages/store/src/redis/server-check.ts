import { exitStatus, type Logger, StartError } from '@sluice/runtime';
import type { Connection } from './connect.js';

/** First release that has every command Sluice uses (EVALSHA_RO). */
const OLDEST = 7;

/** A field of `INFO`; '' when it is not there. */
export const infoField = (info: string, name: string) =>
  new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? '';

export type Refusal = { readonly what: string; readonly todo: string; readonly status: number };

/** Why no node can use this Redis; undefined: one can. What INFO does not say is taken to fit. */
export function serverRefusal(info: string): Refusal | undefined {
  const version = infoField(info, 'redis_version');
  if (Number.parseInt(version, 10) < OLDEST) {
    const what = `Redis is ${version}, which lacks commands that Sluice uses`;
    return { what, todo: `take ${OLDEST}.0 or newer`, status: exitStatus.config };
  }
  if (infoField(info, 'redis_mode') === 'cluster') {
    const what = 'this Redis runs in cluster mode, which Sluice does not support';
    const todo = 'set redis.url to a Redis without cluster mode';
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
  const info = await connection.ask((client) => client.info());
  const refusal = serverRefusal(info);
  if (refusal) throw new StartError(`${refusal.what}; ${refusal.todo}`, refusal.status);
  const policy = infoField(info, 'maxmemory_policy');
  if (policy !== '' && policy !== 'noeviction') {
    log.warn(
      { policy },
      'redis may evict what was acknowledged: set its maxmemory-policy to noeviction',
    );
  }
}
