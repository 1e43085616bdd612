import { type Config, redisAddress } from '@sluice/gateway';
import { StartError } from '@sluice/runtime';
import { inspectRedis, inspectSentinels, type RedisAddress, redisRemedy } from '@sluice/store';
import { judge } from '../redis-checks/index.js';
import { judgeSentinels } from '../redis-checks/sentinels.js';
import { checkCluster } from './redis-cluster.js';
import type { Finding } from './report.js';

export async function checkRedis(redis: Config['redis']): Promise<Finding[]> {
  let place = withoutPassword(redis.url);
  const found: Finding[] = [];
  try {
    const address = redisAddress(redis, () => {});
    found.push(...(await checkSentinels(address)));
    place = withoutPassword(address.url);
    if (address.nodes) return await checkCluster(redis, address);
    const report = await inspectRedis({ ...redis, address });
    const reached: Finding = {
      status: 'ok',
      check: 'redis',
      what: `${report.server} answers at ${place}`,
    };
    const judged = judge(report, redis).map((one): Finding => ({ check: 'redis', ...one }));
    return [...found, reached, ...judged];
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    if (error instanceof StartError) return [badFile(why)];
    const what = `Redis at ${place}: ${why}`;
    return [...found, { status: 'FAIL', check: 'redis', what, remedy: redisRemedy(why).todo }];
  }
}

async function checkSentinels({ sentinel, tls }: RedisAddress): Promise<Finding[]> {
  if (!sentinel) return [];
  const verdicts = judgeSentinels(await inspectSentinels(sentinel, tls));
  return verdicts.map((one): Finding => ({ check: 'redis', name: 'sentinels', ...one }));
}

/** Output may be pasted into issues, so it must not have passwords (X6). */
function withoutPassword(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//***@').replace(/\?.*$/, '');
}

/** A file of `redis.url_file` or `redis.tls` that no node could use. */
function badFile(why: string): Finding {
  const [what = '', todo] = why.split('; ');
  const remedy = todo ?? 'put the file right, or name another one';
  return { status: 'FAIL', check: 'redis', what, remedy };
}
