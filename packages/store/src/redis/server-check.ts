import { exitStatus, type Logger, StartError } from '@sluice/runtime';
import type { Connection } from './connect.js';

/** First release with every command that is used (EVALSHA_RO). */
const OLDEST = 7;

/** A field of `INFO`; '' when it is not there. */
export const infoField = (info: string, name: string) =>
  new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? '';

export type Refusal = { readonly what: string; readonly todo: string; readonly status: number };

/** Why no node can use this Redis; undefined: it can. One that does not tell is believed to fit. */
export function serverRefusal(info: string): Refusal | undefined {
  const version = infoField(info, 'redis_version');
  if (Number.parseInt(version, 10) < OLDEST) {
    const what = `Redis is ${version}, which lacks commands that are used`;
    return { what, todo: `take ${OLDEST}.0 or newer`, status: exitStatus.config };
  }
  if (infoField(info, 'redis_mode') === 'cluster') {
    const what = 'this Redis runs in cluster mode, which is not supported';
    return { what, todo: 'set redis.url to one that does not', status: exitStatus.config };
  }
  if (infoField(info, 'role') === 'slave') {
    const what = 'this Redis is a replica, which takes no writes';
    // Passing: it may be promoted, or the address may lead to another one.
    return { what, todo: 'set redis.url to the primary', status: exitStatus.tempFail };
  }
  return undefined;
}

/** Ends a start on a Redis that cannot serve; warns of one that may lose what was acknowledged. */
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
