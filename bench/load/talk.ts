/**
 * Sessions that talk at a fixed pace, in a thread of their own, so that the rest of the load does not delay
 * them. Posts 'ready', and answers each 'mark' with the latencies of the messages that were due since the last.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { eventually } from '@sluice/testkit';
import { Faults } from './faults.js';
import { keepPace } from './keep-pace.js';
import { Latencies, type LatencySummary } from './latencies.js';
import { attachToPeer } from './socket-io.js';
import { Talker } from './talker.js';
import { attachTo } from './web-socket.js';

export type TalkOptions = {
  readonly port: number;
  readonly isPeer: boolean;
  readonly sessions: number;
  readonly everyMs: number;
};

export type TalkMark = LatencySummary & {
  readonly lag_p99_ms: number;
  readonly sent: number;
  readonly unanswered: number;
  readonly faults: number;
};

/** A message without a reply this long after its mark counts as unanswered. */
const SETTLE_MS = 60_000;

class Period {
  readonly latencies = new Latencies();
  readonly lag = new Latencies();
}

const { port, isPeer, sessions, everyMs }: TalkOptions = workerData;
const faults = new Faults();
const attach = isPeer ? attachToPeer(port) : attachTo(port, 'echo');
const talkers = await Promise.all(
  Array.from({ length: sessions }, () => Talker.attach(attach, faults)),
);
let period = new Period();

/** Begins a new period at once; resolves when the messages of the last one have their replies. */
async function mark(): Promise<TalkMark> {
  const { latencies, lag } = period;
  period = new Period();
  const sent = lag.count;
  await eventually(() => latencies.count >= sent, SETTLE_MS).catch(() => undefined);
  return {
    ...latencies.summary(),
    lag_p99_ms: lag.percentileMs(99),
    sent,
    unanswered: sent - latencies.count,
    faults: faults.total,
  };
}

parentPort?.on('message', async () => parentPort?.postMessage(await mark()));
parentPort?.postMessage('ready');
const record = { record: (ms: number) => period.lag.record(ms) };
await keepPace({ count: Number.POSITIVE_INFINITY, everyMs, lag: record }, (index, dueMs) => {
  const talker = talkers[index % sessions];
  if (!talker) return;
  talker.latencies = period.latencies;
  talker.send('x', dueMs);
});
