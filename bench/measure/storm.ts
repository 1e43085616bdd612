import { sleep } from '@sluice/runtime';
import { eventually } from '@sluice/testkit';
import type { Connection } from '../load/connection.js';
import { crowd, loopback } from '../load/crowd.js';
import { Latencies } from '../load/latencies.js';
import { Talker } from '../load/talker.js';
import { startTalking } from '../load/talking.js';
import { defineCommand, whole } from '../options.js';
import { beginStretch, onStage, type Stage } from '../programs/stage.js';
import type { Row } from '../report/rows.js';
import { eachProgram } from './each-program.js';

const WIDTH = 50;
/** How often each of the sessions that go on talking sends a message. */
const TALK_PERIOD_MS = 500;
/** Between the cut and the return. */
const AWAY_MS = 1_500;
/** Clients that do not have all events by then are not waited for. */
const LIMIT_MS = 120_000;

type Load = {
  readonly clients: number;
  readonly events: number;
  readonly talking: number;
  readonly before: number;
};

const sessionOf = (index: number) => `storm-${index}`;

/** Sends each client's messages, then cuts all. Returns the last reply: who has it has all events. */
async function prepare({ running, faults }: Stage, { clients, events }: Load): Promise<string> {
  // Each message logs its acceptance and its outcome.
  const messages = Math.ceil(events / 2);
  const talkers: Talker[] = [];
  await crowd(clients, WIDTH, async (index) => {
    const options = { session: sessionOf(index), localAddress: loopback(index) };
    const talker = await Talker.attach(running.attach, faults, options);
    await talker.pipelined(messages - 1);
    await talker.serial(1, 'last');
    talkers.push(talker);
  });
  for (const talker of talkers) talker.cut();
  return 'echo: last';
}

/** All connect at once; records the milliseconds until each has its last event. */
async function comeBack(stage: Stage, { clients }: Load, last: string) {
  const { running, faults } = stage;
  const whole = new Latencies();
  const stretch = await beginStretch(stage);
  const startMs = performance.now();
  const connections: Connection[] = [];
  const back = async (index: number) => {
    const options = { session: sessionOf(index), replay: true, localAddress: loopback(index) };
    let isWhole = false;
    const onFinal = (content: string) => {
      if (content !== last || isWhole) return;
      isWhole = true;
      whole.record(performance.now() - startMs);
    };
    connections.push(await running.attach(options, { onFinal, onFault: faults.add }));
  };
  for (let index = 0; index < clients; index += 1) {
    back(index).catch((error) => faults.add(String(error)));
  }
  await eventually(() => whole.count === clients, LIMIT_MS).catch(() =>
    faults.add('not all whole'),
  );
  const spent = await stretch.end();
  return { whole, spent, connections };
}

async function measure(stage: Stage, load: Load): Promise<Row> {
  const { running, faults, program } = stage;
  const last = await prepare(stage, load);
  const talking = await startTalking({
    port: running.port,
    isPeer: program === 'peer',
    sessions: load.talking,
    everyMs: TALK_PERIOD_MS / load.talking,
  });
  await sleep(AWAY_MS);
  await talking.mark();
  await sleep(load.before * 1_000);
  const before = await talking.mark();
  const { whole, spent, connections } = await comeBack(stage, load, last);
  const during = await talking.mark();
  await talking.stop();
  for (const connection of connections) connection.cut();
  return {
    program,
    clients: load.clients,
    events_each: load.events,
    whole: whole.count,
    all_whole_s: whole.percentileMs(100) / 1_000,
    p50_s: whole.percentileMs(50) / 1_000,
    node_ms_each: (spent.nodeCpuS / load.clients) * 1_000,
    talk_p99_before_ms: before.p99_ms,
    talk_p99_during_ms: during.p99_ms,
    talk_max_during_ms: during.max_ms,
    talk_messages_during: during.sent,
    talk_unanswered: during.unanswered,
    talk_lag_p99_ms: during.lag_p99_ms,
    faults: faults.total + during.faults,
    ...spent.load,
  };
}

export const storm = defineCommand({
  name: 'storm',
  what: 'all clients reconnect at once, while some sessions go on talking',
  programs: ['sluice', 'other', 'peer'],
  options: {
    clients: whole(5_000, 'clients that reconnect at once'),
    events: whole(20, 'events that each of them has missed', 2),
    talking: whole(20, 'sessions that talk all the time'),
    before: whole(10, 'seconds that they talk before the storm'),
  },
  run: ({ programs, ...load }) =>
    eachProgram(programs, (program) => onStage(program, {}, (stage) => measure(stage, load))),
});
