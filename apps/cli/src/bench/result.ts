import type { RecordableHistogram } from 'node:perf_hooks';
import type { Sender } from './sender.js';
import type { Tally } from './tally.js';

type Latency = {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
};

/** What `--json` prints; latencies are milliseconds. */
export type Result = {
  readonly connections: number;
  readonly mode: 'closed' | 'open';
  readonly seconds: number;
  readonly sent: number;
  readonly acknowledged: number;
  readonly finished: number;
  readonly per_second: number;
  readonly ack_ms: Latency;
  readonly reply_ms: Latency;
  readonly deltas: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly errors: Readonly<Record<string, number>>;
  readonly reconnects: number;
  /** Acknowledged, without outcome. */
  readonly lost: number;
  readonly doubled: number;
  readonly reordered: number;
  /** Neither acknowledged nor refused. */
  readonly unanswered: number;
};

export function resultOf(
  tally: Tally,
  senders: readonly Sender[],
  { startedMs, isOpen }: { startedMs: number; isOpen: boolean },
): Result {
  const seconds = Math.max(0, tally.lastFinalMs - startedMs) / 1_000;
  const lost = sum(senders.map(({ outstanding }) => outstanding.unfinished));
  return {
    connections: senders.length,
    mode: isOpen ? 'open' : 'closed',
    seconds: rounded(seconds),
    sent: tally.sent,
    acknowledged: tally.acknowledged,
    finished: tally.finished,
    per_second: seconds > 0 ? Math.round(tally.finished / seconds) : 0,
    ack_ms: latencyOf(tally.ackUs),
    reply_ms: latencyOf(tally.replyUs),
    deltas: tally.deltas,
    outcomes: tally.outcomes,
    errors: tally.errors,
    reconnects: tally.reconnects,
    lost,
    doubled: tally.doubled,
    reordered: tally.reordered,
    unanswered: sum(senders.map(({ outstanding }) => outstanding.unacknowledged().length)),
  };
}

export function linesOf(result: Result): string[] {
  const { ack_ms, reply_ms, outcomes, errors } = result;
  const latency = ({ p50, p95, p99, max }: Latency) =>
    `p50 ${p50}  p95 ${p95}  p99 ${p99}  max ${max} ms`;
  const from =
    result.mode === 'open' ? 'from when it was due' : 'from when it was sent, closed loop';
  const rows: [string, string | number][] = [
    ['connections', result.connections],
    ['messages', `${result.sent} sent, ${result.acknowledged} acknowledged in ${result.seconds} s`],
    ['throughput', `${result.per_second} replies per second`],
    ['ack', `${latency(ack_ms)} (${from})`],
    ['reply', latency(reply_ms)],
    ['outcomes', counts(outcomes)],
    ['errors', counts(errors)],
    ['reconnects', result.reconnects],
    ['lost', result.lost],
    ['doubled', result.doubled],
    ['reordered', result.reordered],
    ['unanswered', result.unanswered],
  ];
  return rows.map(([name, value]) => `${name.padEnd(12)} ${value}`);
}

const counts = (by: Readonly<Record<string, number>>) =>
  Object.entries(by)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ') || '0';

function latencyOf(histogram: RecordableHistogram): Latency {
  const at = (percentile: number) => rounded(histogram.percentile(percentile) / 1_000);
  return { p50: at(50), p95: at(95), p99: at(99), max: rounded(histogram.max / 1_000) };
}

const rounded = (value: number) => Math.round(value * 100) / 100;
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
