import { join } from 'node:path';
import { type GatewayProcess, startGateway } from '@sluice/testkit';
import { type Attach, inTime } from '../load/connection.js';
import { attachToPeer } from '../load/socket-io.js';
import { attachTo } from '../load/web-socket.js';
import { builtFile, startEntry } from './child.js';

/** The programs to measure; `other` is the checkout that BIN names. */
export const programNames = ['sluice', 'other', 'floor', 'peer'] as const;
export type ProgramName = (typeof programNames)[number];

export type AgentName = 'echo' | 'tokens';

export type StartOptions = {
  readonly redisUrl: string;
  readonly agent?: AgentName;
  /** Turns that may run at once; the floor has no such limit. */
  readonly concurrency?: number;
  /** More configuration for Sluice. */
  readonly config?: Readonly<Record<string, unknown>>;
};

export type Running = {
  readonly pid: number;
  readonly port: number;
  readonly attach: Attach;
  stop(): Promise<unknown>;
};

/** As many turns at once as `worker.concurrency` allows by default. */
const CONCURRENCY = 64;

export const otherCheckout = () => process.env.BIN || undefined;

export type NodeOptions = StartOptions & { readonly isOther?: boolean };

/** One node of Sluice. */
export async function startNode(options: NodeOptions): Promise<Running & { node: GatewayProcess }> {
  const { redisUrl, agent = 'echo', concurrency = CONCURRENCY, config = {}, isOther } = options;
  const checkout = otherCheckout();
  const agents = {
    echo: { echo: { kind: 'echo', stream: false } },
    tokens: { tokens: { kind: 'module', path: builtFile('agents/tokens') } },
  };
  const node = await startGateway({
    redisUrl,
    env: { NODE_ENV: 'production', NODE_OPTIONS: process.env.PROFILER },
    config: {
      worker: { concurrency },
      metrics: { public: true },
      agents: agents[agent],
      ...config,
    },
    bin: isOther && checkout ? join(checkout, 'bin', 'sluice') : undefined,
  });
  return {
    node,
    pid: node.pid,
    port: node.port,
    attach: inTime(attachTo(node.port, agent)),
    stop: () => node.kill(),
  };
}

const starts: Record<ProgramName, (options: StartOptions) => Promise<Running>> = {
  sluice: startNode,
  other: (options) => startNode({ ...options, isOther: true }),
  floor: async ({ redisUrl, agent = 'echo' }) => {
    const child = await startEntry('floor/main', [redisUrl, builtFile(`agents/${agent}`)]);
    return { ...child, attach: inTime(attachTo(child.port, agent)) };
  },
  peer: async ({ redisUrl, agent = 'echo', concurrency = CONCURRENCY }) => {
    const args = [redisUrl, builtFile(`agents/${agent}`), String(concurrency)];
    const child = await startEntry('peer/main', args);
    return { ...child, attach: inTime(attachToPeer(child.port)) };
  },
};

/** Starts one program on the given Redis. */
export const startProgram = (name: ProgramName, options: StartOptions): Promise<Running> =>
  starts[name](options);
