import { Faults } from '../load/faults.js';
import { OwnLoad, type OwnLoadSummary } from '../load/own-load.js';
import { cpuSeconds } from './process-use.js';
import { type ProgramName, type Running, type StartOptions, startProgram } from './programs.js';
import { type BenchRedis, startBenchRedis } from './redis.js';

/** One program and its Redis, both newly started. */
export type Stage = {
  readonly program: ProgramName;
  readonly redis: BenchRedis;
  readonly running: Running;
  readonly faults: Faults;
};

/** Starts a program for one measurement, and stops it. */
export async function onStage<T>(
  program: ProgramName,
  options: Omit<StartOptions, 'redisUrl'>,
  measure: (stage: Stage) => Promise<T>,
): Promise<T> {
  const redis = await startBenchRedis();
  const faults = new Faults();
  try {
    const running = await startProgram(program, { ...options, redisUrl: redis.url });
    try {
      return await measure({ program, redis, running, faults });
    } finally {
      await running.stop();
    }
  } finally {
    await redis.stop();
    if (faults.total > 0) process.stderr.write(`${program}: ${faults}\n`);
  }
}

/** What the program, Redis and the load used in a measured stretch of time. */
export type Spent = {
  readonly seconds: number;
  readonly nodeCpuS: number;
  readonly redisCpuS: number;
  readonly commands: number;
  readonly evalsha: number;
  readonly load: OwnLoadSummary;
};

export type Stretch = { readonly own: OwnLoad; end(): Promise<Spent> };

/** Begins a stretch; its `end` returns what was used. */
export async function beginStretch({ running, redis }: Stage): Promise<Stretch> {
  await redis.resetCalls();
  const own = new OwnLoad();
  const before = { node: cpuSeconds(running.pid), redis: cpuSeconds(redis.pid) };
  const startMs = performance.now();
  return {
    own,
    end: async () => {
      const seconds = (performance.now() - startMs) / 1_000;
      const load = own.summary();
      const nodeCpuS = cpuSeconds(running.pid) - before.node;
      const redisCpuS = cpuSeconds(redis.pid) - before.redis;
      const calls = await redis.calls();
      const commands = [...calls.values()].reduce((sum, count) => sum + count, 0);
      return { seconds, nodeCpuS, redisCpuS, commands, evalsha: calls.get('evalsha') ?? 0, load };
    },
  };
}
