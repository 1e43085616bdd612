import { sleep } from '@sluice/runtime';
import type { Connection } from '../load/connection.js';
import { crowd, loopback } from '../load/crowd.js';
import { Talker } from '../load/talker.js';
import { defineCommand, whole } from '../options.js';
import { cpuSeconds, residentKb } from '../programs/process-use.js';
import { beginStretch, onStage, type Stage } from '../programs/stage.js';
import { eachProgram } from './each-program.js';

/** Pause before the first connection, so that the memory of the program itself is not counted. */
const START_MS = 2_000;
const WIDTH = 50;
/** Messages of each session whose bytes in Redis are measured. */
const MESSAGES = 20;
/** A program may write the history of a session after its last reply. */
const AFTER_TALK_MS = 4_000;
const CONTENT = 'x'.repeat(48);

type Load = { readonly connections: number; readonly calm: number; readonly seconds: number };

/** Measures connections that are attached and silent. */
async function measureSilent(stage: Stage, { connections, calm, seconds }: Load) {
  const { running, redis, faults } = stage;
  await sleep(START_MS);
  const before = { kb: residentKb(running.pid), cpu: cpuSeconds(running.pid) };
  const bytesBefore = await redis.usedBytes();
  const all: Connection[] = [];
  const attaching = await beginStretch(stage);
  await crowd(connections, WIDTH, async (index) => {
    const options = { localAddress: loopback(index) };
    all.push(await running.attach(options, { onFault: faults.add }));
  });
  const spent = await attaching.end();
  const attachMs = ((cpuSeconds(running.pid) - before.cpu) / connections) * 1_000;
  await sleep(calm * 1_000);
  const kb = (residentKb(running.pid) - before.kb) / connections;
  const silence = await beginStretch(stage);
  await sleep(seconds * 1_000);
  const idle = await silence.end();
  const bytes = ((await redis.usedBytes()) - bytesBefore) / connections;
  for (const connection of all) connection.cut();
  const row = {
    connections,
    attached_per_s: connections / spent.seconds,
    node_ms_per_attach: attachMs,
    node_kb_each: kb,
    redis_bytes_each: bytes,
    idle_node_cores: idle.nodeCpuS / idle.seconds,
    idle_redis_cores: idle.redisCpuS / idle.seconds,
    ...spent.load,
  };
  return { row, faults: faults.total };
}

/** Measures sessions that have talked and have no connection. */
async function measureKept({ running, redis, faults }: Stage, sessions: number) {
  await sleep(START_MS);
  const before = await redis.usedBytes();
  await crowd(sessions, WIDTH / 2, async () => {
    const talker = await Talker.attach(running.attach, faults);
    await talker.serial(MESSAGES, CONTENT);
    talker.cut();
  });
  await sleep(AFTER_TALK_MS);
  const bytes = ((await redis.usedBytes()) - before) / sessions;
  return { bytes, faults: faults.total };
}

export const idle = defineCommand({
  name: 'idle',
  what: 'memory and processor of silent connections, bytes of idle sessions',
  programs: ['sluice', 'other', 'floor', 'peer'],
  options: {
    connections: whole(10_000, 'connections that are attached and silent'),
    calm: whole(10, 'seconds after the last of them, before memory is read'),
    seconds: whole(20, 'seconds of silence that are measured'),
    sessions: whole(500, `sessions of ${MESSAGES} messages, whose bytes in Redis are measured`),
  },
  run: ({ programs, sessions, ...load }) =>
    eachProgram(programs, async (program) => {
      const silent = await onStage(program, {}, (stage) => measureSilent(stage, load));
      const kept = await onStage(program, {}, (stage) => measureKept(stage, sessions));
      return {
        ...{ program, redis_bytes_per_session: kept.bytes, ...silent.row },
        faults: silent.faults + kept.faults,
      };
    }),
});
