import { eventually } from '@sluice/testkit';
import type { Connection } from '../load/connection.js';
import { Latencies } from '../load/latencies.js';
import { defineCommand, whole } from '../options.js';
import { beginStretch, onStage, type Stage } from '../programs/stage.js';
import type { Row } from '../report/rows.js';
import { eachProgram } from './each-program.js';

/** `worker.concurrency`: large enough for all replies at once. */
const CONCURRENCY = 2_000;
/** A reply that has not ended this long after its time is given up. */
const LATE_MS = 60_000;

type Load = {
  readonly replies: number;
  readonly tokens: number;
  readonly gapMs: number;
  readonly readers: number;
};

async function measure(stage: Stage, { replies, tokens, gapMs, readers }: Load): Promise<Row> {
  const { running, faults, program } = stage;
  const latencies = new Latencies();
  let deltas = 0;
  let finals = 0;
  let lastMs = 0;
  const listener = {
    onFault: faults.add,
    onFinal: () => {
      finals += 1;
      lastMs = performance.now();
    },
    // A token is the time at which it was made; a delta is as old as its first token.
    onDelta: (content: string) => {
      deltas += 1;
      latencies.record(Date.now() - Number.parseInt(content, 10));
    },
  };
  const attach = (session: string) =>
    running.attach({ session, replay: true, streams: true }, listener);
  const all: Connection[][] = [];
  for (let index = 0; index < replies; index += 1) {
    const ofSession = Array.from({ length: readers }, () => attach(`s${index}`));
    all.push(await Promise.all(ofSession));
  }
  const stretch = await beginStretch(stage);
  const startMs = performance.now();
  for (const [sender] of all) sender?.send(`${tokens} ${gapMs}`);
  const idealMs = (tokens - 1) * gapMs;
  await eventually(() => finals >= replies * readers, idealMs + LATE_MS).catch(() =>
    faults.add('not all replies have ended'),
  );
  const spent = await stretch.end();
  const bytes = all.flat().reduce((sum, { bytesRead }) => sum + bytesRead, 0);
  for (const connection of all.flat()) connection.cut();
  const produced = replies * tokens;
  const { p50_ms, p99_ms, max_ms } = latencies.summary();
  return {
    ...{ program, replies, readers, finals, p50_ms, p99_ms, max_ms },
    late_s: (lastMs - startMs - idealMs) / 1_000,
    tokens_per_delta: (produced * readers) / Math.max(1, deltas),
    node_cores: spent.nodeCpuS / spent.seconds,
    redis_cores: spent.redisCpuS / spent.seconds,
    node_us_per_token: (spent.nodeCpuS / produced) * 1e6,
    redis_us_per_token: (spent.redisCpuS / produced) * 1e6,
    commands_per_delta: spent.commands / Math.max(1, deltas / readers),
    bytes_per_token: bytes / produced / readers,
    faults: faults.total,
    ...spent.load,
  };
}

export const streaming = defineCommand({
  name: 'streaming',
  what: 'replies that stream: delay of deltas, processor per token',
  programs: ['sluice', 'other', 'floor', 'peer'],
  options: {
    replies: whole(100, 'replies at once, each in its own session: 100, 300, 1000'),
    tokens: whole(300, 'tokens of each reply'),
    gap: whole(33, 'milliseconds between two tokens'),
    readers: whole(1, 'connections to each session'),
  },
  run: ({ programs, gap, ...load }) => {
    const options = { agent: 'tokens', concurrency: CONCURRENCY } as const;
    return eachProgram(programs, (program) =>
      onStage(program, options, (stage) => measure(stage, { ...load, gapMs: gap })),
    );
  },
});
