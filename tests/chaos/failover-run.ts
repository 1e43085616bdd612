import { sleep } from '@sluice/runtime';
import {
  eventually,
  FrameClient,
  type GatewayProcess,
  httpBehaviours,
  startGateway,
  startHttpAgent,
  startSentinel,
  stopAll,
  type TestSentinel,
} from '@sluice/testkit';
import { FailoverSender } from './failover-sender.js';
import type { ChaosOptions } from './options.js';
import { Random } from './random.js';

const READY_MS = 15_000;
const SETTLE_MS = 60_000;
const PREFIX = 'chaos';

type Fault = 'killed' | 'cut off and killed' | 'ordered' | 'stopped';
const faults: readonly [Fault, ...Fault[]] = ['killed', 'cut off and killed', 'ordered', 'stopped'];

/** Plays one failover; resolves when the nodes are ready again, with the time from a writable primary until then. */
async function play(
  fault: Fault,
  { redis, nodes, random }: { redis: TestSentinel; nodes: GatewayProcess[]; random: Random },
): Promise<number> {
  const before = await redis.primary();
  if (fault === 'cut off and killed') {
    await redis.cutReplicas();
    await sleep(random.between(300, 1_000));
  }
  if (fault === 'ordered') await redis.failover();
  else if (fault === 'stopped') await redis.pausePrimary();
  else await redis.killPrimary();
  await redis.promoted(before);
  const writableMs = performance.now();
  const isReady = async (node: GatewayProcess) => (await fetch(`${node.url}/ready`)).status === 200;
  await eventually(async () => (await Promise.all(nodes.map(isReady))).every(Boolean), READY_MS);
  const readyMs = performance.now() - writableMs;
  await before.resume();
  await before.start();
  await redis.settled(SETTLE_MS);
  return readyMs;
}

type Judged = { accepted: Set<string>; doubled: number; reordered: number; unanswered: number };

/** What the log of a session has at the end. */
async function judge(session: string, wsUrl: string): Promise<Judged> {
  const client = await eventually(() => FrameClient.connect(wsUrl), READY_MS);
  const hello = await client.hello({ agent_id: 'slow', session_id: session, since: 0 });
  const head = Number(hello.cursor);
  await eventually(() => Number(client.logged().at(-1)?.seq ?? 0) >= head, READY_MS);
  const idsOf = (status: string) =>
    client
      .logged()
      .filter((event) => event.status === status)
      .map(({ message_id }) => String(message_id));
  const accepted = idsOf('accepted');
  const finals = idsOf('final');
  client.cut();
  const answered = new Set(finals);
  const inOrder = accepted.filter((id) => answered.has(id));
  const first = [...answered];
  return {
    accepted: new Set(accepted),
    doubled: accepted.length - new Set(accepted).size + finals.length - answered.size,
    reordered: first.filter((id, at) => id !== inOrder[at]).length,
    unanswered: accepted.filter((id) => !answered.has(id)).length,
  };
}

/** Fails over again and again under load. Prints one line; returns 0 when every promise was kept. */
export async function runFailovers(
  options: ChaosOptions,
  tell: (line: string) => void,
): Promise<number> {
  const { seed, durability, leaseTtlMs } = options;
  const random = new Random(seed);
  const redis = await startSentinel();
  const agent = await startHttpAgent();
  agent.behave(httpBehaviours.delayMs(20));
  try {
    const nodes = await Promise.all(
      Array.from({ length: options.nodes }, () =>
        startGateway({
          config: {
            redis: { url: redis.url, prefix: PREFIX, durability },
            lease: { ttl: `${leaseTtlMs}ms` },
            session: { max_events: 100_000, max_log_bytes: '256MiB', max_seen: 100_000 },
            agents: { slow: { kind: 'http', url: agent.url } },
          },
        }),
      ),
    );
    let next = 0;
    const wsUrl = () => nodes[next++ % nodes.length]?.wsUrl ?? '';
    const senders = Array.from(
      { length: options.sessions },
      (_, at) => new FailoverSender(`s${at + 1}`, wsUrl),
    );
    const readyMs: number[] = [];
    const untilMs = performance.now() + options.seconds * 1_000;
    for (let round = 0; performance.now() < untilMs || readyMs.length === 0; round += 1) {
      await sleep(random.between(1_000, 3_000));
      const fault = round < faults.length ? faults[round % faults.length] : random.pick(faults);
      tell(`failover: ${fault}`);
      readyMs.push(await play(fault ?? 'killed', { redis, nodes, random }));
      tell(`ready after ${Math.round(readyMs.at(-1) ?? 0)} ms`);
    }
    for (const sender of senders) sender.stopSending();
    const isSettled = () => senders.every((sender) => sender.isSettled);
    await eventually(isSettled, SETTLE_MS).catch(() => undefined); // counted below
    const judgeAll = () => Promise.all(senders.map(({ session }) => judge(session, wsUrl())));
    const judged = await eventually(
      async () => {
        const all = await judgeAll();
        return all.every(({ unanswered }) => unanswered === 0) && all;
      },
      SETTLE_MS,
      1_000,
    ).catch(judgeAll);
    await Promise.all(senders.map((sender) => sender.end()));
    const changes = nodes.map(
      ({ logs }) =>
        logs.filter(({ msg }) => /^another redis process answers/.test(`${msg}`)).length,
    );
    return report(options, { senders, judged: judged || [], readyMs, changes });
  } finally {
    await stopAll();
  }
}

type Seen = {
  readonly senders: readonly FailoverSender[];
  readonly judged: readonly Judged[];
  readonly readyMs: readonly number[];
  readonly changes: readonly number[];
};

function report({ seed, durability }: ChaosOptions, { senders, judged, readyMs, changes }: Seen) {
  const sum = (of: (one: Judged) => number) => judged.reduce((total, one) => total + of(one), 0);
  const acks = senders.flatMap(({ acknowledged }, at) =>
    [...acknowledged].map(([id, level]) => ({ level, isLost: !judged[at]?.accepted.has(id) })),
  );
  const lostOf = (level: string) => acks.filter((it) => it.level === level && it.isLost).length;
  const asMemory = acks.filter(({ level }) => level === 'memory').length;
  const reused = senders.flatMap(({ places }) => places.reused);
  const found = {
    'lost of those': durability === 'memory' ? 0 : lostOf(durability),
    doubled: sum((one) => one.doubled),
    reordered: sum((one) => one.reordered),
    unanswered: sum((one) => one.unanswered),
    'never acknowledged': senders.reduce((total, { waiting }) => total + waiting, 0),
    'reused places': reused.length,
    'lines missing': changes.filter((count) => count < readyMs.length).length,
  };
  const fields = {
    topology: 'sentinel',
    durability,
    seed,
    failovers: readyMs.length,
    acknowledged: acks.length,
    'as memory': asMemory,
    'lost of those as memory': lostOf('memory'),
    [`as ${durability === 'memory' ? 'more' : durability}`]: acks.length - asMemory,
    ...found,
    resyncs: senders.reduce((total, { resyncs }) => total + resyncs, 0),
    'slowest ready after a writable primary': `${Math.round(Math.max(...readyMs))} ms`,
  };
  for (const place of reused.slice(0, 10)) process.stderr.write(`reused ${place}\n`);
  const text = Object.entries(fields).map(([name, value]) => `${name} ${value}`);
  process.stdout.write(`chaos: ${text.join(', ')}\n`);
  return Object.values(found).some((count) => count > 0) ? 1 : 0;
}
