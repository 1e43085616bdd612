import { keepPace } from '../load/keep-pace.js';
import { Latencies } from '../load/latencies.js';
import { settle, Talker } from '../load/talker.js';
import { defineCommand, some, whole } from '../options.js';
import type { ProgramName } from '../programs/programs.js';
import { beginStretch, onStage, type Stage, type Stretch } from '../programs/stage.js';
import { ratioRows } from '../report/ratios.js';
import { medianRow, type Row } from '../report/rows.js';

const modes = ['serial', 'pipelined', 'paced'] as const;
type Mode = (typeof modes)[number];

const WARM_UP = 20;
/** Messages of each session before the pipelined ones that are measured. */
const PIPELINED_WARM_UP = 50;
/** After the last message: a message without a reply by then is a fault. */
const SETTLE_MS = 30_000;

const options = {
  rounds: whole(5, 'rounds; the results are their medians'),
  sessions: whole(50, 'sessions that talk at once'),
  messages: whole(200, 'messages of each session, serial and pipelined'),
  rate: whole(500, 'messages per second of all sessions together, when paced'),
  seconds: whole(10, 'seconds of paced messages'),
  modes: some(modes, 'ways to talk'),
} as const;

type Load = {
  readonly sessions: number;
  readonly messages: number;
  readonly rate: number;
  readonly seconds: number;
};

type Talk = (
  talkers: readonly Talker[],
  load: Load,
  stage: Stage,
  own: Stretch['own'],
) => Promise<number>;

/** Each returns the number of turns. */
const talks: Record<Mode, Talk> = {
  serial: async (talkers, { messages }) => {
    await Promise.all(talkers.map((talker) => talker.serial(messages)));
    return talkers.length * messages;
  },
  pipelined: async (talkers, { messages }) => {
    await Promise.all(talkers.map((talker) => talker.pipelined(messages)));
    return talkers.length * messages;
  },
  paced: async (talkers, { rate, seconds }, { faults }, own) => {
    const count = rate * seconds;
    await keepPace({ count, everyMs: 1_000 / rate, lag: own.lag }, (index, dueMs) =>
      talkers[index % talkers.length]?.send('x', dueMs),
    );
    const unanswered = await settle(talkers, SETTLE_MS);
    for (let left = unanswered; left > 0; left -= 1) faults.add('no reply');
    return count - unanswered;
  },
};

async function measure(stage: Stage, mode: Mode, load: Load): Promise<Row> {
  const { running, faults } = stage;
  const attached = Array.from({ length: load.sessions }, () =>
    Talker.attach(running.attach, faults),
  );
  const talkers = await Promise.all(attached);
  await Promise.all(talkers.map((talker) => talker.serial(WARM_UP)));
  if (mode === 'pipelined') await Promise.all(talkers.map((it) => it.pipelined(PIPELINED_WARM_UP)));
  const latencies = new Latencies();
  for (const talker of talkers) talker.latencies = latencies;
  const stretch = await beginStretch(stage);
  const startMs = performance.now();
  const turns = await talks[mode](talkers, load, stage, stretch.own);
  const seconds = (Math.max(...talkers.map((it) => it.lastReplyMs)) - startMs) / 1_000;
  const spent = await stretch.end();
  for (const talker of talkers) talker.cut();
  const { p50_ms, p99_ms, max_ms } = latencies.summary();
  return {
    ...{ mode, program: stage.program, turns_per_s: turns / seconds, p50_ms, p99_ms, max_ms },
    node_s_per_1000: (spent.nodeCpuS / turns) * 1_000,
    redis_s_per_1000: (spent.redisCpuS / turns) * 1_000,
    commands_per_turn: spent.commands / turns,
    evalsha_per_turn: spent.evalsha / turns,
    faults: faults.total,
    ...spent.load,
  };
}

async function compare(mode: Mode, programs: readonly ProgramName[], load: Load, rounds: number) {
  const all: Row[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    for (const program of programs) {
      const row = await onStage(program, {}, (stage) => measure(stage, mode, load));
      all.push({ round, ...row });
      process.stderr.write(
        `${mode} ${round}/${rounds} ${program}: ${Math.round(Number(row.turns_per_s))} turns/s\n`,
      );
    }
  }
  return all;
}

export const turns = defineCommand({
  name: 'turns',
  what: 'warm turns: rate, latency, processor and commands of Redis',
  programs: ['sluice', 'other', 'floor', 'peer'],
  options,
  run: async ({ modes, programs, rounds, ...load }) => {
    const all: Row[] = [];
    for (const mode of modes) all.push(...(await compare(mode, programs, load, rounds)));
    const of = (mode: Mode, program: ProgramName) =>
      all.filter((row) => row.mode === mode && row.program === program);
    const rows = modes.flatMap((mode) =>
      programs.map((program) => {
        const { round: _, ...row } = medianRow(of(mode, program));
        return row;
      }),
    );
    return { rows, ratios: modes.flatMap((mode) => ratioRows(all, mode)), rounds: all };
  },
});
