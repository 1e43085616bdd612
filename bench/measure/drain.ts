import { within } from '@sluice/runtime';
import { Faults } from '../load/faults.js';
import { defineCommand, whole } from '../options.js';
import { cpuSeconds } from '../programs/process-use.js';
import { startNode } from '../programs/programs.js';
import { startBenchRedis } from '../programs/redis.js';
import type { Row } from '../report/rows.js';
import { eachProgram } from './each-program.js';
import { heldLeases, lingering, openQuiet } from './leases.js';

const LIMIT_MS = 60_000;

/** The connections are on another node, so that closing them is not measured. */
async function measure(program: string, leases: number): Promise<Row> {
  const redis = await startBenchRedis();
  const faults = new Faults();
  const start = (role: string) =>
    startNode({
      redisUrl: redis.url,
      isOther: program === 'other',
      config: { gateway: { roles: [role] }, ...lingering(leases) },
    });
  const edge = await start('edge');
  const worker = await start('worker');
  try {
    const talkers = await openQuiet(edge, leases, faults);
    const held = await heldLeases(worker.port, leases);
    const redisBeforeS = cpuSeconds(redis.pid);
    await redis.resetCalls();
    const startMs = performance.now();
    worker.node.signal('SIGTERM');
    const exit = await within(worker.node.exited, LIMIT_MS);
    const seconds = (performance.now() - startMs) / 1_000;
    const calls = await redis.calls();
    for (const talker of talkers) talker.cut();
    return {
      program,
      leases: held,
      exit_s: seconds,
      exit_status: exit?.code ?? -1,
      redis_s: cpuSeconds(redis.pid) - redisBeforeS,
      commands_per_lease: [...calls.values()].reduce((sum, n) => sum + n, 0) / Math.max(1, held),
      faults: faults.total,
    };
  } finally {
    await Promise.all([edge.stop(), worker.stop()]);
    await redis.stop();
  }
}

export const drain = defineCommand({
  name: 'drain',
  what: 'a node that holds idle leases is told to stop: time until it has ended',
  programs: ['sluice', 'other'],
  options: { leases: whole(10_000, 'idle leases that the node holds') },
  run: ({ programs, leases }) => eachProgram(programs, (program) => measure(program, leases)),
});
