import {
  checkHistory,
  type EventFrame,
  eventually,
  type GatewayProcess,
  type HttpTurn,
  httpBehaviours,
  startRedis,
  startTcpProxy,
  type TcpProxy,
  type TestRedis,
  turnOf,
  type Verdict,
  type View,
} from '@sluice/testkit';
import { toViewFrame } from '../chaos/recording.js';
import { Cluster } from '../support/cluster/cluster.js';
import { Sender } from '../support/cluster/steady-load.js';
import { startMembers } from '../support/quorum.js';

export const TTL_MS = 3_000;
const NODES = 2;
const SESSIONS = 6;
/** A turn whose content is this and a number takes that many milliseconds. */
const TAKES = 'takes ';
const TURN_MS = 50;

const turnMs = ({ content }: HttpTurn) =>
  typeof content === 'string' && content.startsWith(TAKES)
    ? Number(content.slice(TAKES.length))
    : TURN_MS;

/** What was counted in one run under one fault. */
export type Counted = {
  readonly verdict: Verdict;
  readonly faults: readonly string[];
  readonly answersDuring: number;
  /** Turns that were begun when every lease of before the fault was over, and before its end. */
  readonly begunLate: number;
  readonly leasesLost: number;
  readonly fenced: number;
  readonly ringsBack: number;
  readonly cut: number;
  readonly longAttempts: readonly number[];
  readonly mostAttempts: number;
  readonly red: readonly number[];
  readonly backMs: number;
};

/** Two nodes that reach each member of a quorum, and each its own way, and senders that keep talking. */
export class QuorumWorld {
  readonly nodes: GatewayProcess[] = [];
  /** `proxies[node][member]`. */
  readonly proxies: TcpProxy[][] = [];

  private constructor(
    readonly members: readonly TestRedis[],
    readonly cluster: Cluster,
  ) {}

  static async open(count: number, isMovable: boolean): Promise<QuorumWorld> {
    const redis = await startRedis({ args: ['--appendfsync', 'everysec'] });
    const members = await startMembers(count, { movableClock: isMovable });
    const cluster = await Cluster.open(redis, { lease: { ttl: `${TTL_MS}ms` } });
    cluster.agent.behave((turn, context) => httpBehaviours.delayMs(turnMs(turn))(turn, context));
    const world = new QuorumWorld(members, cluster);
    for (let at = 0; at < NODES; at++) {
      const ways = await Promise.all(members.map(({ port }) => startTcpProxy(port)));
      world.proxies.push(ways);
      const quorum = ways.map(({ url }) => url);
      world.nodes.push(await cluster.start({ lease: { quorum } }));
    }
    return world;
  }

  /** Plays a fault for `ms` under load, and judges what was seen. */
  async play(
    name: string,
    ms: number,
    fault: () => Promise<() => Promise<void>>,
  ): Promise<Counted> {
    const { agent } = this.cluster;
    const from = agent.turns.length;
    const before = await this.#count();
    const label = name.replaceAll(/\W+/g, '-');
    const senders = Array.from(
      { length: SESSIONS },
      (_, at) => new Sender(`${label}-${at}`, () => this.nodes),
    );
    await eventually(() => senders.every(({ acknowledged }) => acknowledged.size > 2), 10_000);
    const [node] = this.nodes;
    if (!node) throw new Error('a world has a node');
    const long = await this.cluster.attach(node, { session_id: `${label}-long` });
    const id = long.message(`${TAKES}${ms + 1_000}`);
    const ofLong = () => agent.turns.filter(({ turn }) => turn.message_id === id);
    await eventually(() => ofLong().length === 1, 10_000);

    const startMs = performance.now();
    const finals = () =>
      senders.flatMap(({ events }) => events).filter(({ status }) => status === 'final').length;
    const answered = finals();
    const repair = await fault();
    const red = new Set<number>();
    const untilMs = startMs + ms;
    while (performance.now() < untilMs) {
      const statuses = await Promise.all(this.nodes.map(ready));
      if (performance.now() > startMs + 2_500) for (const status of statuses) red.add(status);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const answersDuring = finals() - answered;
    const endMs = performance.now();
    await repair();
    const repairedMs = performance.now();
    await eventually(async () => {
      const statuses = await Promise.all(this.nodes.map(ready));
      return statuses.every((status) => status === 200);
    }, 10_000);
    const last = finals();
    await eventually(() => finals() > last, 15_000);
    const backMs = performance.now() - repairedMs;
    await long.waitFor({ status: 'final', message_id: id }, ms + 20_000);
    const faults = (await Promise.all(senders.map((sender) => sender.settle()))).flat();
    await long.close();

    const turns = agent.turns.slice(from).map((turn) => turnOf(turn, ''));
    const after = await this.#count();
    const views = senders.map(viewOf);
    const sent = views.flatMap(({ session, frames }) =>
      frames.flatMap((frame) =>
        frame.kind === 'event' && frame.status === 'accepted'
          ? [{ session, messageId: frame.messageId ?? '', mode: 'enqueue' as const, atMs: 0 }]
          : [],
      ),
    );
    const acknowledged = sent.map((it) => ({ ...it, seq: null, position: 0 }));
    const none = { cuttings: [], faults: [], ends: [], forcedCloses: [], handOvers: [] };
    return {
      verdict: checkHistory({ leaseTtlMs: TTL_MS, sent, acknowledged, views, turns, ...none }),
      faults,
      answersDuring,
      begunLate: turns.filter(
        (turn) => turn.startMs > startMs + TTL_MS + 500 && turn.startMs < endMs,
      ).length,
      leasesLost: after.leasesLost - before.leasesLost,
      fenced: after.fenced - before.fenced,
      ringsBack: after.ringsBack - before.ringsBack,
      cut: turns.filter(({ closedByPeer }) => closedByPeer).length,
      longAttempts: ofLong().map(({ turn }) => turn.attempt),
      mostAttempts: Math.max(...turns.map(({ attempt }) => attempt)),
      red: [...red].sort(),
      backMs,
    };
  }

  async #count() {
    const texts = await Promise.all(
      this.nodes.map(async ({ url }) => (await fetch(`${url}/metrics`)).text()),
    );
    const sum = (name: string) =>
      texts
        .flatMap((text) => [...text.matchAll(new RegExp(`^${name}(?:{[^}]*})? (\\d+)$`, 'gm'))])
        .reduce((total, [, value]) => total + Number(value), 0);
    return {
      leasesLost: sum('sluice_leases_lost_total'),
      fenced: sum('sluice_fenced_writes_total'),
      ringsBack: sum('sluice_rings_without_majority_total'),
    };
  }

  async stop(): Promise<void> {
    await this.cluster.stop();
    await Promise.all(this.proxies.flat().map((proxy) => proxy.stop()));
  }
}

async function ready({ url }: GatewayProcess): Promise<number> {
  return (await fetch(`${url}/ready`)).status;
}

/** Everything that a sender saw of its session, as one connection would have: it comes back at its cursor. */
function viewOf({ sessionId, events }: Sender): View {
  const frames = events.flatMap((frame): EventFrame[] => {
    const read = toViewFrame(frame);
    return read?.kind === 'event' ? [read] : [];
  });
  const epoch = frames.find((frame) => frame.epoch)?.epoch ?? '';
  return { session: sessionId, client: sessionId, connection: sessionId, since: 0, epoch, frames };
}
