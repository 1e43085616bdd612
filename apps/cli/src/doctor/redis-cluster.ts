import type { Config } from '@sluice/gateway';
import {
  addressOfMember,
  type ClusterMember,
  clusterMembers,
  hasKey,
  inspectRedis,
  type RedisAddress,
  type RedisReport,
} from '@sluice/store';
import { judge } from '../redis-checks/index.js';
import type { Finding } from './report.js';

/** Looks at every master of a cluster, and at what concerns the whole. */
export async function checkCluster(
  redis: Config['redis'],
  address: RedisAddress,
): Promise<Finding[]> {
  const members = await clusterMembers(address);
  const looked = await Promise.all(members.map((member) => lookAt(member, redis, address)));
  return [
    { status: 'ok', check: 'redis', what: `a Redis Cluster of ${members.length} masters` },
    ...looked.flat(),
  ];
}

async function lookAt(
  member: ClusterMember,
  redis: Config['redis'],
  address: RedisAddress,
): Promise<Finding[]> {
  const at = ({ what, ...rest }: Omit<Finding, 'check'>): Finding => ({
    ...rest,
    check: 'redis',
    what: `${member.name}: ${what}`,
  });
  const isHere = (key: string) => hasKey(member, key);
  try {
    const own = addressOfMember(address, member);
    const report = await inspectRedis({ ...redis, address: own, isHere });
    const all = [...judge(report, redis), ...ofCluster(member, report)];
    // The layout is in one slot: the other masters say nothing about it.
    const isLayoutHere = isHere(`${redis.prefix}:layout`);
    return all.filter(({ name }) => isLayoutHere || name !== 'layout').map(at);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const remedy = 'start it, or let a replica take over: its sessions wait until then';
    return [at({ status: 'FAIL', what: why, remedy })];
  }
}

type Judged = ReturnType<typeof judge>[number];

function ofCluster({ replicas }: ClusterMember, { settings }: RedisReport): Judged[] {
  const found: Judged[] = [];
  if (replicas === 0) {
    const what = 'no replica: when this master is lost, its sessions wait until it is back';
    const remedy = 'add one with redis-cli --cluster add-node --cluster-slave';
    found.push({ name: 'replicas', status: 'warn', what, remedy });
  }
  if (settings['cluster-require-full-coverage'] === 'yes') {
    const what =
      'cluster-require-full-coverage yes: when one master is lost, all others refuse to serve too';
    const remedy = 'CONFIG SET cluster-require-full-coverage no on every server, and in redis.conf';
    found.push({ name: 'coverage', status: 'warn', what, remedy });
  }
  return found;
}
