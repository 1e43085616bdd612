import { keepPace } from '../load/keep-pace.js';
import { Latencies } from '../load/latencies.js';
import { settle, Talker } from '../load/talker.js';
import { defineCommand, duration, whole } from '../options.js';
import { beginStretch, onStage, type Stage } from '../programs/stage.js';
import type { Row } from '../report/rows.js';
import { eachProgram } from './each-program.js';

const SETTLE_MS = 30_000;

type Load = { readonly sessions: number; readonly rounds: number; readonly periodMs: number };

/** Every session sends one message per period, spread evenly; the first round is a warm-up. */
async function measure(stage: Stage, { sessions, rounds, periodMs }: Load): Promise<Row> {
  const { running, faults, program } = stage;
  const attached = Array.from({ length: sessions }, () => Talker.attach(running.attach, faults));
  const talkers = await Promise.all(attached);
  const latencies = new Latencies();
  const everyMs = periodMs / sessions;
  const say = (index: number, dueMs: number) => talkers[index % sessions]?.send('x', dueMs);
  await keepPace({ count: sessions, everyMs, lag: new Latencies() }, say);
  for (const talker of talkers) talker.latencies = latencies;
  const stretch = await beginStretch(stage);
  await keepPace({ count: sessions * rounds, everyMs, lag: stretch.own.lag }, say);
  const unanswered = await settle(talkers, SETTLE_MS);
  for (let left = unanswered; left > 0; left -= 1) faults.add('no reply');
  const spent = await stretch.end();
  for (const talker of talkers) talker.cut();
  const turns = sessions * rounds;
  const { p50_ms, p99_ms, max_ms } = latencies.summary();
  return {
    ...{ program, turns_per_s: 1_000 / everyMs, p50_ms, p99_ms, max_ms },
    node_s_per_1000: (spent.nodeCpuS / turns) * 1_000,
    redis_s_per_1000: (spent.redisCpuS / turns) * 1_000,
    commands_per_turn: spent.commands / turns,
    evalsha_per_turn: spent.evalsha / turns,
    faults: faults.total,
    ...spent.load,
  };
}

export const cold = defineCommand({
  name: 'cold',
  what: 'turns of conversations that were quiet for some seconds',
  programs: ['sluice', 'other', 'floor', 'peer'],
  options: {
    sessions: whole(300, 'sessions that each send one message per period'),
    rounds: whole(6, 'periods, after one to warm up'),
    period: whole(3_000, 'milliseconds between two messages of a session'),
    linger: duration('', 'lease.linger of Sluice: 1s measures the cold path itself'),
  },
  run: ({ programs, linger, period, ...load }) => {
    const config = linger ? { lease: { linger } } : {};
    return eachProgram(programs, (program) =>
      onStage(program, { config }, (stage) => measure(stage, { ...load, periodMs: period })),
    );
  },
});
