import { sleep } from '@sluice/runtime';
import {
  eventually,
  type FrameClient,
  type GatewayProcess,
  type HttpTurn,
  httpBehaviours,
  startRedis,
  startTcpProxy,
  type TcpProxy,
  type TestRedis,
} from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';

/** A turn whose content is this and a number takes that many milliseconds. */
const TAKES = 'takes ';
/** Duration of every other turn: long enough that some are always running. */
const TURN_MS = 50;

const turnMs = ({ content }: HttpTurn) =>
  typeof content === 'string' && content.startsWith(TAKES)
    ? Number(content.slice(TAKES.length))
    : TURN_MS;

/** A Redis with a separate administrator, and nodes that each reach it through their own proxy. */
export class World {
  readonly nodes: GatewayProcess[] = [];
  readonly proxies: TcpProxy[] = [];

  private constructor(
    readonly redis: TestRedis,
    /** The administrator: keeps its rights when the nodes lose theirs. */
    readonly boss: ReturnType<TestRedis['client']>,
    readonly cluster: Cluster,
  ) {}

  /** Starts `count` nodes whose leases have this TTL. */
  static async open(count: number, leaseTtlMs: number): Promise<World> {
    const args = ['--enable-protected-configs', 'yes', '--repl-diskless-sync-delay', '0'];
    const redis = await startRedis({ args, movableClock: true });
    const client = redis.client();
    await client.call('ACL', 'SETUSER', 'boss', 'on', '>of-the-test', '~*', '&*', '+@all');
    const cluster = await Cluster.open(redis, {
      lease: { ttl: `${leaseTtlMs}ms` },
      worker: { sweep_interval: '500ms' },
    });
    cluster.agent.behave((turn, context) => httpBehaviours.delayMs(turnMs(turn))(turn, context));
    const boss = redis.client({ username: 'boss', password: 'of-the-test' });
    const world = new World(redis, boss, cluster);
    for (let i = 0; i < count; i += 1) {
      const proxy = await startTcpProxy(redis.port);
      world.proxies.push(proxy);
      world.nodes.push(await cluster.start({ redis: { url: proxy.url } }));
    }
    return world;
  }

  /** The first node: faults of connections affect only its connections. */
  get first(): { node: GatewayProcess; proxy: TcpProxy } {
    const [node] = this.nodes;
    const [proxy] = this.proxies;
    if (!node || !proxy) throw new Error('a world has a node');
    return { node, proxy };
  }

  /** Connects to a new session and starts a turn that takes `ms`. */
  async longTurn(session_id: string, ms: number): Promise<{ client: FrameClient; id: string }> {
    const client = await this.cluster.attach(this.first.node, { session_id });
    const id = client.message(`${TAKES}${ms}`);
    await eventually(() => this.turnsOf(id).length === 1, 5_000);
    return { client, id };
  }

  turnsOf(messageId: string) {
    return this.cluster.agent.turns.filter(({ turn }) => turn.message_id === messageId);
  }

  /** The answer of `/ready`: its status, and the failing parts that it names. */
  async ready(node: GatewayProcess): Promise<{ status: number; failing: unknown }> {
    const response = await fetch(`${node.url}/ready`);
    const body: unknown = await response.json();
    return { status: response.status, failing: Object(body).failing };
  }

  /** Resolves when the node answers a message of a new session; rejects after `ms`. */
  async serves(node: GatewayProcess, session_id: string, ms: number): Promise<void> {
    const untilMs = performance.now() + ms;
    for (;;) {
      const leftMs = untilMs - performance.now();
      const client = await this.cluster.attach(node, { session_id }).catch(() => undefined);
      const served = await client?.final(client.message('are you there?'), leftMs).catch(() => 0);
      client?.cut();
      if (served) return;
      if (leftMs <= 0) throw new Error(`${node.nodeId} serves no new session after ${ms} ms`);
      await sleep(100);
    }
  }

  /** Warnings and errors of all nodes after the first `from[i]` lines, without fields that differ between nodes. */
  logLines(from: readonly number[]): string[] {
    const lines = this.nodes.flatMap(({ logs }, at) => logs.slice(from[at] ?? 0));
    const counts = new Map<string, number>();
    for (const { level, msg, connection, why } of lines) {
      if (level === 'debug' || msg === 'summary') continue;
      const more = [connection, why].filter(Boolean).join(', ');
      const line = `${level}: ${msg}${more ? ` (${more})` : ''}`;
      counts.set(line, (counts.get(line) ?? 0) + 1);
    }
    return [...counts].map(([line, count]) => (count > 1 ? `${line} (${count} times)` : line));
  }

  async stop(): Promise<void> {
    await this.cluster.stop();
    await Promise.all(this.proxies.map((proxy) => proxy.stop()));
    await this.redis.stop();
  }
}
