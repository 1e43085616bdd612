import { crowd, loopback } from '../load/crowd.js';
import { Faults } from '../load/faults.js';
import { keepPace } from '../load/keep-pace.js';
import { Latencies } from '../load/latencies.js';
import { OwnLoad } from '../load/own-load.js';
import { settle, Talker } from '../load/talker.js';
import { defineCommand, whole } from '../options.js';
import { type Running, startNode } from '../programs/programs.js';
import { startBenchRedis } from '../programs/redis.js';
import type { Row } from '../report/rows.js';
import { eachProgram } from './each-program.js';
import { heldLeases, lingering, openQuiet } from './leases.js';

const WIDTH = 50;
const TTL_MS = 10_000;
/** C1: the sessions of a dead node go on within the TTL of their leases and this. */
const TAKEOVER_MS = 2_000;
/** Within this time each conversation sends one message. */
const SPREAD_MS = 2_000;
const LIMIT_MS = 60_000;

/** Each client attaches to one of these nodes, and then leaves the other node. */
async function moveTo(nodes: readonly Running[], talkers: Talker[], faults: Faults) {
  await crowd(talkers.length, WIDTH, async (index) => {
    const node = nodes[index % nodes.length];
    if (!node) return;
    const options = { session: `quiet-${index}`, localAddress: loopback(index) };
    const moved = await Talker.attach(node.attach, faults, options);
    talkers[index]?.cut();
    talkers[index] = moved;
  });
}

async function measure(program: string, conversations: number): Promise<Row> {
  const redis = await startBenchRedis();
  const faults = new Faults();
  const config = lingering(conversations);
  const start = () => startNode({ redisUrl: redis.url, isOther: program === 'other', config });
  const nodes = [await start()];
  try {
    const [victim] = nodes;
    if (!victim) throw new Error('no node');
    const talkers = await openQuiet(victim, conversations, faults);
    const left = [await start(), await start()];
    nodes.push(...left);
    await moveTo(left, talkers, faults);
    const held = await heldLeases(victim.port, conversations);
    const latencies = new Latencies();
    for (const talker of talkers) talker.latencies = latencies;
    const own = new OwnLoad();
    const killedMs = performance.now();
    await victim.node.kill();
    const pace = { count: conversations, everyMs: SPREAD_MS / conversations, lag: own.lag };
    await keepPace(pace, (index, dueMs) => talkers[index]?.send('x', dueMs));
    const unanswered = await settle(talkers, LIMIT_MS);
    const load = own.summary();
    const seconds = (Math.max(...talkers.map((it) => it.lastReplyMs)) - killedMs) / 1_000;
    for (const talker of talkers) talker.cut();
    const { p50_ms, p99_ms, max_ms } = latencies.summary();
    return {
      ...{ program, conversations, held_by_dead: held, answered: conversations - unanswered },
      all_answered_s: seconds,
      limit_s: (TTL_MS + TAKEOVER_MS) / 1_000,
      in_time: unanswered === 0 && seconds * 1_000 <= TTL_MS + TAKEOVER_MS,
      ...{ p50_ms, p99_ms, max_ms, faults: faults.total, ...load },
    };
  } finally {
    await Promise.all(nodes.map((node) => node.stop()));
    await redis.stop();
  }
}

export const takeover = defineCommand({
  name: 'takeover',
  what: 'a node dies with its idle conversations, and each sends a message: time until all are answered',
  programs: ['sluice', 'other'],
  options: { conversations: whole(10_000, 'conversations that the dead node held') },
  run: ({ programs, conversations }) =>
    eachProgram(programs, (program) => measure(program, conversations)),
});
