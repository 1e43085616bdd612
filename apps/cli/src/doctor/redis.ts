import type { Config } from '@sluice/gateway';
import {
  inspectRedis,
  LAYOUT_BEFORE,
  LAYOUT_VERSION,
  type RedisReport,
  RIGHTS_REMEDY,
  redisRemedy,
} from '@sluice/store';
import type { Finding } from './report.js';

/** An ack costs one round trip: 20 ms are noticeable in every message. */
const SLOW_MS = 20;
/** Leases depend on the clock of Redis only; a skew merely misleads people who read logs. */
const SKEW_MS = 1_000;

export async function checkRedis(redis: Config['redis']): Promise<Finding[]> {
  const place = withoutPassword(redis.url);
  try {
    const report = await inspectRedis(redis);
    const reached = finding('ok', `Redis ${report.version} answers at ${place}`);
    return [reached, ...judge(report, redis)];
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return [finding('FAIL', `Redis at ${place}: ${why}`, redisRemedy(why).todo)];
  }
}

/** Checks what a Redis must and should be like. */
export function judge(report: RedisReport, redis: Config['redis']): Finding[] {
  const latency = `latency ${report.latencyMs.toFixed(2)} ms (median of 20)`;
  const skew = `clock ${report.clockSkewMs.toFixed(0)} ms off this machine's`;
  return [
    report.refusal
      ? finding('FAIL', report.refusal.what, report.refusal.todo)
      : finding('ok', `version ${report.version}`),
    ...(report.missingRight ? [finding('FAIL', report.missingRight, RIGHTS_REMEDY)] : []),
    report.maxmemoryPolicy === 'noeviction'
      ? finding('ok', 'maxmemory-policy noeviction')
      : finding(
          'FAIL',
          `maxmemory-policy ${report.maxmemoryPolicy || 'unknown'}: messages could be evicted`,
          'CONFIG SET maxmemory-policy noeviction, and in redis.conf',
        ),
    report.aof
      ? finding('ok', 'append-only file on')
      : finding(
          'warn',
          'append-only file off: a restart of Redis loses what came after its last snapshot',
          'CONFIG SET appendonly yes, and in redis.conf',
        ),
    report.latencyMs < SLOW_MS
      ? finding('ok', latency)
      : finding('warn', latency, 'bring the gateway into the network of Redis'),
    Math.abs(report.clockSkewMs) < SKEW_MS
      ? finding('ok', skew)
      : finding('warn', skew, 'set both by NTP, else times in logs and listings mislead'),
    judgeLayout(report, redis),
    ...(report.isFull
      ? [finding('FAIL', 'maxmemory is nearly used up', 'raise it, or delete data')]
      : []),
    ...(report.durabilityFault ? [durabilityFinding(report.durabilityFault)] : []),
  ];
}

function durabilityFinding(fault: string): Finding {
  const [what = '', ...remedy] = fault.split(': ');
  return finding('FAIL', what, remedy.join(': '));
}

function judgeLayout({ layout }: RedisReport, { prefix, partitions }: Config['redis']): Finding {
  if (!layout) return finding('ok', `no data yet under the prefix ${prefix}`);
  const what = `data under the prefix ${prefix}: layout ${layout.version}, ${layout.partitions} partitions`;
  if (layout.version === LAYOUT_BEFORE) {
    const remedy =
      'drain all nodes of the release that wrote it, then start this one: it writes another layout';
    return finding('warn', what, remedy);
  }
  if (layout.version !== LAYOUT_VERSION) {
    const remedy = `this release reads layout ${LAYOUT_VERSION}; use another redis.prefix`;
    return finding('FAIL', what, remedy);
  }
  if (layout.partitions === partitions) return finding('ok', what);
  return finding(
    'FAIL',
    `${what}, but redis.partitions is ${partitions}`,
    `set redis.partitions to ${layout.partitions}, or use another redis.prefix`,
  );
}

/** Output may be pasted into issues, so it must not have passwords (X6). */
function withoutPassword(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//***@').replace(/\?.*$/, '');
}

function finding(status: Finding['status'], what: string, remedy?: string): Finding {
  return { status, check: 'redis', what, ...(remedy ? { remedy } : {}) };
}
