import {
  type GatewayProcess,
  type HandOver,
  type HttpAgent,
  handOversIn,
  startGateway,
  startHttpAgent,
  type Turn,
  turnOf,
} from '@sluice/testkit';
import { type Cues, makeGuide } from './guide.js';

export const LEASE_TTL_MS = 2_000;

/** A gateway process with its own agent, so that the agent knows which node asks. */
export class DemoNode {
  private constructor(
    readonly name: string,
    readonly process: GatewayProcess,
    private readonly agent: HttpAgent,
  ) {}

  static async start(name: string, redisUrl: string, cues: Cues): Promise<DemoNode> {
    const agent = await startHttpAgent({ behaviour: makeGuide(name, cues) });
    const config = {
      // The only connection is closed at the end of the spread.
      gateway: { node_id: name, drain_timeout: '8s', close_spread: '300ms' },
      redis: { url: redisUrl },
      lease: { ttl: `${LEASE_TTL_MS}ms` },
      log: { level: 'debug' },
      agents: { guide: { kind: 'http', url: agent.url } },
    };
    return new DemoNode(name, await startGateway({ config }), agent);
  }

  get port(): number {
    return this.process.port;
  }

  get turns(): Turn[] {
    return this.agent.turns.map((recorded) => turnOf(recorded, this.name));
  }

  get handOvers(): HandOver[] {
    return handOversIn(this.process.logs);
  }

  async stop(): Promise<number | null> {
    const { code } = await this.process.stop();
    await this.agent.close();
    return code;
  }
}
