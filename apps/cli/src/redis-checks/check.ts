import type { Config } from '@sluice/gateway';
import type { RedisReport } from '@sluice/store';

/** What a check says: one line, and for everything that is not right what to do about it. */
export type Verdict =
  | { readonly status: 'ok'; readonly what: string }
  | { readonly status: 'warn' | 'FAIL'; readonly what: string; readonly remedy: string };

/** One thing that `sluice doctor` looks at in a Redis. To add one, put it into `redisChecks` (index.ts). */
export type RedisCheck = {
  /** What `--json` calls it: one word. */
  readonly name: string;
  /** Nothing: it does not concern this Redis, or this Redis does not say. */
  judge(report: RedisReport, redis: Config['redis']): readonly Verdict[];
};

export const ok = (what: string): Verdict => ({ status: 'ok', what });
/** A node runs with it, and somebody should know. */
export const warn = (what: string, remedy: string): Verdict => ({ status: 'warn', what, remedy });
/** A node does not run with it, or loses what was acknowledged. */
export const fail = (what: string, remedy: string): Verdict => ({ status: 'FAIL', what, remedy });
