import { type Config, redisAddress } from '@sluice/gateway';
import { StartError } from '@sluice/runtime';
import { inspectRedis, redisRemedy } from '@sluice/store';
import { judge } from '../redis-checks/index.js';
import type { Finding } from './report.js';

export async function checkRedis(redis: Config['redis']): Promise<Finding[]> {
  let place = withoutPassword(redis.url);
  try {
    const address = redisAddress(redis, () => {});
    place = withoutPassword(address.url);
    const report = await inspectRedis({ ...redis, address });
    const reached: Finding = {
      status: 'ok',
      check: 'redis',
      what: `${report.server} answers at ${place}`,
    };
    const judged = judge(report, redis).map((one): Finding => ({ check: 'redis', ...one }));
    return [reached, ...judged];
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    if (error instanceof StartError) return [badFile(why)];
    const what = `Redis at ${place}: ${why}`;
    return [{ status: 'FAIL', check: 'redis', what, remedy: redisRemedy(why).todo }];
  }
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
