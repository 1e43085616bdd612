import { createServer } from 'node:net';
import { sleep } from '@sluice/runtime';
import {
  type Behaviour,
  type GatewayProcess,
  type HandOver,
  type HttpAgent,
  handOversIn,
  startGateway,
  startHttpAgent,
  startTcpProxy,
  type TcpProxy,
  type TestRedis,
  type Turn,
  turnOf,
} from '@sluice/testkit';
import type { Random } from './random.js';

export const PREFIX = 'chaos';
export const DRAIN_MS = 3_000;

/** Turns of 300 ms +- 200, 5 % of 6 s, in four deltas. */
function makeBehaviour(random: Random): Behaviour {
  return async ({ message_id, attempt }, { signal, respond }) => {
    const ms = random.isLucky(0.05) ? 6_000 : random.between(100, 500);
    const writer = respond.stream('ndjson');
    const parts = ['this ', 'is the ', 'reply to ', `${message_id}, ${attempt}`];
    for (const part of parts) {
      await sleep(ms / parts.length, signal);
      if (signal.aborted) return;
      writer.delta(part);
    }
    writer.final(parts.join(''));
  };
}

/** Settings that differ between runs. */
export type NodeSettings = {
  readonly leaseTtlMs: number;
  readonly resumeWindow: string;
  /** 0: no limit. */
  readonly maxConnectionAgeMs: number;
  /** URLs of the members of the lease quorum. */
  readonly quorum: readonly string[];
};

const configOf = (
  { port, agent, proxy }: Place,
  { leaseTtlMs, resumeWindow, maxConnectionAgeMs, quorum }: NodeSettings,
) => ({
  gateway: {
    port,
    drain_timeout: `${DRAIN_MS}ms`,
    max_connection_age: `${maxConnectionAgeMs}ms`,
  },
  redis: { url: proxy.url, prefix: PREFIX },
  lease: { ttl: `${leaseTtlMs}ms`, quorum },
  session: { max_messages: 20, resume_window: resumeWindow },
  log: { level: 'debug' }, // logs the pause of each hand-over
  agents: { slow: { kind: 'http', url: agent.url, history: '1KiB' } },
});

/** Below the ports of outgoing connections, so that nobody takes the port between two lives. */
const ports = { from: 10_240, to: 32_000 } as const;

/** A free port, which does not depend on the seed. */
async function steadyPort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = ports.from + Math.floor(Math.random() * (ports.to - ports.from));
    const isFree = await new Promise<boolean>((resolve) => {
      const server = createServer();
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
  throw new Error('no port of loopback is free');
}

/** One process of a place; its turns at the agent of the place begin with number `from`. */
type Life = { readonly name: string; readonly from: number; process?: GatewayProcess };

/** A place in the cluster: its own agent and proxy to Redis, and one process after another. */
export class Place {
  readonly #lives: Life[] = [];

  private constructor(
    readonly index: number,
    /** The same for all its processes, so that balancers need no change. */
    readonly port: number,
    readonly agent: HttpAgent,
    readonly proxy: TcpProxy,
  ) {}

  static async open(index: number, redis: TestRedis, random: Random): Promise<Place> {
    const agent = await startHttpAgent({ behaviour: makeBehaviour(random) });
    return new Place(index, await steadyPort(), agent, await startTcpProxy(redis.port));
  }

  /** The name of the current process. */
  get name(): string {
    return this.#lives.at(-1)?.name ?? `n${this.index}`;
  }

  async start(settings: NodeSettings): Promise<void> {
    const name = `n${this.index}.${this.#lives.length + 1}`;
    // The process may run turns before it is ready.
    const life: Life = { name, from: this.agent.turns.length };
    this.#lives.push(life);
    life.process = await startGateway({ config: configOf(this, settings) });
  }

  get process(): GatewayProcess | undefined {
    return this.#lives.at(-1)?.process;
  }

  get turns(): Turn[] {
    const nameAt = (at: number) => this.#lives.findLast(({ from }) => from <= at)?.name ?? '';
    return this.agent.turns.map((recorded, at) => turnOf(recorded, nameAt(at)));
  }

  /** The hand-overs to this place, from the logs of its processes. */
  get handOvers(): HandOver[] {
    return handOversIn(this.#lives.flatMap(({ process }) => process?.logs ?? []));
  }

  async close(): Promise<void> {
    await this.process?.kill();
    await this.agent.close();
    await this.proxy.stop();
  }
}
