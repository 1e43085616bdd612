import { monotonicMs, sleep } from '@sluice/runtime';
import { Latencies } from '../load/latencies.js';
import { Talker } from '../load/talker.js';
import { defineCommand, whole } from '../options.js';
import { residentKb } from '../programs/process-use.js';
import { beginStretch, onStage, type Stage } from '../programs/stage.js';
import { median } from '../report/numbers.js';
import type { Row } from '../report/rows.js';
import { eachProgram } from './each-program.js';

const SAMPLE_MS = 2_000;
const REPLY_MS = 30_000;
/** Short times, so that sessions expire within the run as often as they begin. */
const CONFIG = { lease: { linger: '30s' }, session: { resume_window: '60s' } };

type Load = {
  readonly sessions: number;
  readonly life: number;
  readonly period: number;
  readonly seconds: number;
  readonly warmup: number;
};

type Sample = { readonly node_mb: number; readonly redis_mb: number; readonly keys: number };

/** A session that sends a message each period; when its life is over, a new session takes its place. */
async function occupy(stage: Stage, load: Load, latencies: Latencies, endMs: number) {
  const { running, faults } = stage;
  let turns = 0;
  await sleep(Math.random() * load.life * 1_000); // places do not change together
  while (monotonicMs() < endMs) {
    const talker = await Talker.attach(running.attach, faults).catch((error) => {
      faults.add(`not attached: ${error.message}`);
    });
    if (!talker) {
      await sleep(load.period);
      continue;
    }
    talker.latencies = latencies;
    const count = Math.ceil((load.life * 1_000) / load.period);
    for (let said = 0; said < count && monotonicMs() < endMs; said += 1) {
      talker.send('x'.repeat(200));
      turns += 1;
      await sleep(load.period);
    }
    for (let waitedMs = 0; talker.waiting > 0 && waitedMs < REPLY_MS; waitedMs += 10)
      await sleep(10);
    for (let left = talker.waiting; left > 0; left -= 1) faults.add('no reply');
    talker.cut();
  }
  return turns;
}

async function sample({ running, redis }: Stage): Promise<Sample> {
  return {
    node_mb: residentKb(running.pid) / 1_024,
    redis_mb: (await redis.usedBytes()) / 1_048_576,
    keys: await redis.keys(),
  };
}

async function measure(stage: Stage, load: Load): Promise<Row> {
  const latencies = new Latencies();
  const startMs = monotonicMs();
  const endMs = startMs + load.seconds * 1_000;
  const stretch = await beginStretch(stage);
  const places = Array.from({ length: load.sessions }, () => occupy(stage, load, latencies, endMs));
  const samples: Sample[] = [];
  const sampling = (async () => {
    await sleep(load.warmup * 1_000);
    for (; monotonicMs() < endMs; await sleep(SAMPLE_MS)) samples.push(await sample(stage));
  })();
  const turns = (await Promise.all(places)).reduce((sum, count) => sum + count, 0);
  await sampling;
  const spent = await stretch.end();
  const quarter = Math.max(1, Math.floor(samples.length / 4));
  const compared = (name: keyof Sample) => {
    const first = median(samples.slice(0, quarter).map((it) => it[name]));
    const last = median(samples.slice(-quarter).map((it) => it[name]));
    return { [name]: last, [`${name}_grown_percent`]: (last / first - 1) * 100 };
  };
  const { p50_ms, p99_ms, max_ms } = latencies.summary();
  return {
    ...{ program: stage.program, turns, p50_ms, p99_ms, max_ms },
    ...{ ...compared('node_mb'), ...compared('redis_mb'), ...compared('keys') },
    node_cores: spent.nodeCpuS / spent.seconds,
    redis_cores: spent.redisCpuS / spent.seconds,
    faults: stage.faults.total,
    ...spent.load,
  };
}

export const soak = defineCommand({
  name: 'soak',
  what: 'the same load for a long time: whether memory and number of keys stay the same',
  programs: ['sluice', 'other'],
  options: {
    sessions: whole(300, 'sessions at once'),
    life: whole(60, 'seconds for which a session talks; then a new one takes its place'),
    period: whole(1_000, 'milliseconds between two messages of a session'),
    seconds: whole(1_800, 'seconds in all'),
    warmup: whole(480, 'seconds before the first sample'),
  },
  run: ({ programs, ...load }) =>
    eachProgram(programs, (program) =>
      onStage(program, { config: CONFIG }, (stage) => measure(stage, load)),
    ),
});
