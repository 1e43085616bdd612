/**
 * Sessions that talk at a fixed pace, in a thread of their own: what else the load does at the same time
 * does not delay them. Tells 'ready', answers 'mark' with the latencies of what was due since the last mark.
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

/** What has no reply so long behind its mark is counted as without one. */
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

/** A new period begins at once; the answer waits for the replies to the messages of the last. */
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
