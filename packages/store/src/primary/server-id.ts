import { createHash } from 'node:crypto';

const field = (info: string, name: string) => new RegExp(`^${name}:(\\w+)`, 'm').exec(info)?.[1];

/**
 * What tells this Redis from every other that may have another log (E2): its `run_id`. A process that was promoted
 * may have been a primary before, and have lost its tail in between: then its replication id counts too, which each
 * promotion draws anew. `info` has the sections `server` and `replication`.
 */
export function serverIdOf(info: string): string | undefined {
  const process = field(info, 'run_id');
  const before = field(info, 'master_replid2');
  if (process === undefined || before === undefined || /^0+$/.test(before)) return process;
  const replication = field(info, 'master_replid') ?? '';
  return createHash('sha1').update(`${process} ${replication}`).digest('hex');
}
