/**
 * What `sluice doctor` checks in one Redis: a list of checks, each with a name, what is wrong and a remedy.
 * `check.ts` has their shape. A check reads the report of `inspectRedis` and asks nothing itself.
 */
import type { Config } from '@sluice/gateway';
import type { RedisReport } from '@sluice/store';
import type { RedisCheck, Verdict } from './check.js';
import { durability, layout, rights, version } from './fitness.js';
import { eviction, memory } from './memory.js';
import { clock, latency, tls } from './network.js';
import { persistence } from './persistence.js';
import { minReplicas, replicas } from './replicas.js';

/** In the order in which they are printed. */
export const redisChecks: readonly RedisCheck[] = [
  ...[version, rights, durability, layout],
  ...[eviction, memory, persistence],
  ...[replicas, minReplicas],
  ...[latency, clock, tls],
];

/** What a check of this name says. */
export type Judged = Verdict & { readonly name: string };

/** What all checks say about one Redis. */
export const judge = (report: RedisReport, redis: Config['redis']): Judged[] =>
  redisChecks.flatMap(({ name, judge }) =>
    judge(report, redis).map((verdict) => ({ name, ...verdict })),
  );
