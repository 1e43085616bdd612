import { sleep } from '@sluice/runtime';
import { makeKeys } from '@sluice/store';
import {
  type Behaviour,
  eventually,
  GatewayFailed,
  type GatewayProcess,
  type HttpAgent,
  startGateway,
  startHttpAgent,
  startTcpProxy,
  type TcpProxy,
  type TestRedis,
} from '@sluice/testkit';

export type Settings = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** The agent fails at every attempt of this message. */
export const deadly = 'deadly';
/** The agent fails at the first attempt of this message. */
export const flaky = 'flaky';
/** Short, so that a deadly message becomes a dead letter soon. */
const retry = { initial: '50ms', max: '100ms', for: '300ms' };

/** A short lease for short takeovers; enough attempts for a busy machine. */
const shared: Settings = {
  gateway: { drain_timeout: '3s', close_spread: '50ms' },
  lease: { ttl: '1s', linger: '100ms' },
  worker: { sweep_interval: '200ms', max_attempts: 10 },
  session: { resume_window: '5m' },
};
const withdrawnMs = 5_000;

/** A start takes one core for a second, so more at once would not be faster. */
const STARTS_AT_ONCE = 2;
const starting = new Set<Promise<unknown>>();

async function inLine<T>(start: () => Promise<T>): Promise<T> {
  while (starting.size >= STARTS_AT_ONCE) await Promise.race(starting);
  const started = start();
  const ended: Promise<unknown> = started.then(
    () => starting.delete(ended),
    () => starting.delete(ended),
  );
  starting.add(ended);
  return started;
}

/**
 * A key prefix with a healthy node. While another node is to meet its failpoint, the healthy one is cut off from
 * Redis; then it comes back to finish the work. Each failpoint in turn gets a session.
 */
export class Lane {
  readonly keys: ReturnType<typeof makeKeys>;
  readonly client: ReturnType<TestRedis['client']>;
  #healthy: GatewayProcess | undefined;
  #edge: GatewayProcess | undefined;
  #hold: Promise<void> | undefined;
  #release = () => {};

  private constructor(
    readonly redis: TestRedis,
    readonly prefix: string,
    readonly agent: HttpAgent,
    private readonly proxy: TcpProxy,
  ) {
    this.keys = makeKeys(prefix, 1);
    this.client = redis.client();
  }

  static async open(redis: TestRedis, prefix: string): Promise<Lane> {
    const proxy = await startTcpProxy(redis.port);
    const lane = new Lane(redis, prefix, await startHttpAgent(), proxy);
    lane.agent.behave(lane.#behave);
    lane.#healthy = await lane.start({ redis: { url: proxy.url } });
    await lane.withdraw();
    return lane;
  }

  /** Two deltas and the reply; waits between them while the lane is held. */
  readonly #behave: Behaviour = async ({ message_id, attempt }, { signal, respond }) => {
    if (message_id === deadly || (message_id === flaky && attempt === 1)) {
      return respond.status(503);
    }
    const writer = respond.stream('ndjson');
    writer.delta('reply to ');
    const isCut = new Promise((resolve) => signal.addEventListener('abort', resolve));
    await Promise.race([this.#hold, isCut, sleep(60_000, signal)]);
    if (signal.aborted) return;
    await sleep(40, signal);
    if (signal.aborted) return;
    writer.delta(message_id);
    writer.final(`reply to ${message_id}`);
  };

  /** Makes turns wait until `release`. */
  hold(): void {
    this.#hold = new Promise((resolve) => {
      this.#release = resolve;
    });
  }

  release(): void {
    this.#release();
    this.#hold = Promise.resolve();
  }

  get healthy(): GatewayProcess {
    if (!this.#healthy) throw new Error(`lane ${this.prefix} is not open`);
    return this.#healthy;
  }

  /** A node that never runs a turn, for calls that must not go through the node with the failpoint. */
  async edge(): Promise<GatewayProcess> {
    this.#edge ??= await this.start({ gateway: { roles: ['edge'] } });
    return this.#edge;
  }

  start(settings: Settings, failpoint?: string): Promise<GatewayProcess> {
    const section = (name: string) => ({ ...shared[name], ...settings[name] });
    const redis = { url: this.redis.url, prefix: this.prefix, partitions: 1, ...settings.redis };
    const slow = { kind: 'http', url: this.agent.url, retry };
    const agents = settings.agents ?? { slow };
    const names = ['gateway', 'lease', 'worker', 'session'];
    const sections = Object.fromEntries(names.map((name) => [name, section(name)]));
    const env = failpoint ? { env: { SLUICE_FAILPOINT: failpoint } } : {};
    return inLine(() => startGateway({ config: { ...sections, redis, agents }, ...env }));
  }

  /** Starts a node that is to die; returns undefined if it died before it was ready. */
  async startArmed(failpoint: string, settings: Settings): Promise<GatewayProcess | undefined> {
    try {
      return await this.start(settings, failpoint);
    } catch (error) {
      if (error instanceof GatewayFailed && error.exit?.signal === 'SIGKILL') return undefined;
      throw error;
    }
  }

  /** Connects the healthy node again; resolves when it serves, is subscribed, and beats. */
  async bringBack(): Promise<void> {
    const [seconds = 0] = await this.client.time();
    await this.proxy.refuse(false);
    const channel = this.keys.nodeChannelPrefix(0) + this.healthy.nodeId;
    await eventually(async () => {
      const [, hears] = await this.client.pubsub('NUMSUB', channel);
      const beat = await this.client.hget(this.keys.nodes, this.healthy.nodeId);
      const { status } = await fetch(`${this.healthy.url}/ready`);
      const isKnown = Number(beat?.split(' ')[0]) > Number(seconds) * 1_000;
      return status === 200 && hears === 1 && isKnown;
    }, 10_000);
  }

  /** Cuts the healthy node off from Redis once it holds no lease. */
  async withdraw(): Promise<void> {
    const leases = () => this.client.keys(`${this.prefix}:*:lease`);
    await eventually(async () => (await leases()).length === 0, withdrawnMs).catch(() => undefined);
    await this.proxy.refuse(true);
    this.proxy.cutAll();
    await this.client.hdel(this.keys.nodes, this.healthy.nodeId);
  }

  async stop(): Promise<void> {
    await Promise.all([this.#healthy?.kill(), this.#edge?.kill()]);
  }

  async close(): Promise<void> {
    await this.stop();
    await this.proxy.stop();
    await this.agent.close();
    this.client.disconnect();
  }
}
