import { makeKeys, sessionKeyId } from '@sluice/store';
import {
  type ConnectOptions,
  FrameClient,
  type GatewayProcess,
  type HttpAgent,
  startGateway,
  startHttpAgent,
  type TestRedis,
} from '@sluice/testkit';

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Names and values of a SESSION_END entry, in the order in which they stand in the stream. */
export type EndEntry = { readonly names: readonly string[]; readonly [field: string]: unknown };

let clusters = 0;

/**
 * Nodes that share a prefix in `redis` and an HTTP agent named `slow`; `stop` kills what still runs.
 * Sections of a node's configuration are merged over the cluster's; `slow` is that of the agent.
 */
export class Cluster {
  readonly prefix: string;
  readonly stream: string;
  readonly keys: ReturnType<typeof makeKeys>;
  readonly #nodes: GatewayProcess[] = [];
  readonly #client: ReturnType<TestRedis['client']>;

  private constructor(
    readonly redis: TestRedis,
    readonly agent: HttpAgent,
    private readonly config: Readonly<Record<string, unknown>>,
  ) {
    clusters += 1;
    this.prefix = `c${clusters}`;
    this.stream = `${this.prefix}:session-end`;
    this.keys = makeKeys(this.prefix, 64);
    this.#client = redis.client();
  }

  static async open(
    redis: TestRedis,
    config: Readonly<Record<string, unknown>> = {},
  ): Promise<Cluster> {
    return new Cluster(redis, await startHttpAgent(), config);
  }

  async start(
    config: Readonly<Record<string, unknown>> = {},
    env: Readonly<Record<string, string>> = {},
  ): Promise<GatewayProcess> {
    const section = (name: string) => ({
      ...(isObject(this.config[name]) ? this.config[name] : {}),
      ...(isObject(config[name]) ? config[name] : {}),
    });
    const node = await startGateway({
      env,
      config: {
        gateway: section('gateway'),
        redis: { url: this.redis.url, prefix: this.prefix, ...section('redis') },
        lease: section('lease'),
        worker: section('worker'),
        session: section('session'),
        metrics: section('metrics'),
        log: section('log'),
        telemetry: section('telemetry'),
        agents: {
          slow: { kind: 'http', url: this.agent.url, ...section('slow') },
          ...section('agents'),
        },
      },
    });
    this.#nodes.push(node);
    return node;
  }

  /** Attaches to a session of agent `slow` on this node. */
  async attach(
    node: GatewayProcess,
    hello: Readonly<Record<string, unknown>>,
    options: ConnectOptions = {},
  ): Promise<FrameClient> {
    const client = await FrameClient.connect(node.wsUrl, options);
    await client.hello({ agent_id: 'slow', since: 0, ...hello });
    return client;
  }

  sessionKeys(sessionId: string, principal = 'local') {
    return this.keys.session(sessionKeyId(principal, sessionId));
  }

  /** Message ids in the inbox, the head first. */
  async inbox(sessionId: string, principal = 'local'): Promise<string[]> {
    const { inbox } = this.sessionKeys(sessionId, principal);
    const entries = await this.#client.lrange(inbox, 0, -1);
    return entries.map((entry) => entry.split(' ', 1)[0] ?? '');
  }

  /** What dashboards read. */
  async sessionEnds(): Promise<EndEntry[]> {
    const entries = await this.#client.xrange(this.stream, '-', '+');
    return entries.map(([, flat]) => {
      const names = flat.filter((_, at) => at % 2 === 0);
      return { names, ...Object.fromEntries(names.map((name, at) => [name, flat[2 * at + 1]])) };
    });
  }

  async stop(): Promise<void> {
    this.#client.disconnect();
    await Promise.all(this.#nodes.map((node) => node.kill()));
    await this.agent.close();
  }
}

/** The persisted shape of a session, as its principal reads it. */
export async function readSession(
  node: GatewayProcess,
  sessionId: string,
  headers: Record<string, string> = {},
): Promise<Record<string, unknown>> {
  const response = await fetch(`${node.url}/v1/sessions/${sessionId}`, { headers });
  const body: unknown = await response.json();
  if (!isObject(body)) throw new Error(`no object: ${JSON.stringify(body)}`);
  const { work, ...state } = body;
  if (!isObject(work)) return state;
  // It runs down by itself: two reads of what did not change are then the same.
  const { lease_left_ms: _, ...lasting } = work;
  return { ...state, work: lasting };
}
