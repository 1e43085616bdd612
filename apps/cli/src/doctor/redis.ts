import { type Config, redisAddress } from '@sluice/gateway';
import { inspectRedis, redisRemedy } from '@sluice/store';
import { judge } from '../redis-checks/index.js';
import type { Finding } from './report.js';

export async function checkRedis(redis: Config['redis']): Promise<Finding[]> {
  const address = redisAddress(redis, () => {});
  const place = withoutPassword(address.url);
  try {
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
    const what = `Redis at ${place}: ${why}`;
    return [{ status: 'FAIL', check: 'redis', what, remedy: redisRemedy(why).todo }];
  }
}

/** Output may be pasted into issues, so it must not have passwords (X6). */
function withoutPassword(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//***@').replace(/\?.*$/, '');
}
