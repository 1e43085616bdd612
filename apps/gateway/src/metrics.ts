import type { OutcomeStatus } from '@sluice/protocol';
import { type ClusterState, monotonicMs } from '@sluice/runtime';
import { fencedScriptNames, scriptNames, UNNAMED_CALL } from '@sluice/store';
import { messageResults, upgradeResults } from './edge/limits/results.js';
import {
  clusterMetrics,
  edgeMetrics,
  makeRegistry,
  type NodeState,
  nodeMetrics,
  redisMetrics,
  sessionEndMetric,
  totalOf,
  workerMetrics,
} from './metrics/index.js';
import { VERSION } from './node/version.js';

/** Values that are read at a scrape; undefined: the node is still being built, or Redis does not answer. */
export type MetricsSources = {
  state(): NodeState | undefined;
  cluster(): Promise<ClusterState | undefined>;
};

/** Results of a message that are not a refusal. */
const taken = new Set(['accepted', 'duplicate']);

/** Outcomes that count as failed; an abort or a cancel was asked for. */
const failing = new Set(['error', 'timeout', 'dead_lettered']);

const unbuilt: NodeState = {
  ...{ webSockets: 0, streams: 0, executing: 0, waiting: 0, concurrency: 0, lingering: 0 },
  ...{ drainingSinceMs: 0, isRedisUp: false },
};

type AgentKinds = Readonly<Record<string, { readonly kind: string }>>;

export type Metrics = ReturnType<typeof makeMetrics>;

/** Every metric of the node, in one part for each room. */
export function makeMetrics(agents: AgentKinds, sources: MetricsSources) {
  const registry = makeRegistry();
  const sessionEnd = sessionEndMetric(registry, ['drain_timeout', 'client_end', 'operator']);
  let cluster: ClusterState | undefined;
  nodeMetrics(registry, {
    version: VERSION,
    nowMs: monotonicMs,
    state: () => sources.state() ?? unbuilt,
  });
  clusterMetrics(registry, () => cluster);
  return {
    edge: {
      ...edgeMetrics(registry, { upgrades: upgradeResults, messages: messageResults }),
      sessionEnd,
    },
    worker: { ...workerMetrics<OutcomeStatus>(registry, agentNames(agents)), sessionEnd },
    redis: redisMetrics(registry, {
      calls: [...scriptNames, UNNAMED_CALL],
      fencedCalls: fencedScriptNames,
    }),
    /** Totals since the start of the node. */
    async counts() {
      const [messages, refused, turns, failed, hand_overs, takeovers] = await Promise.all([
        totalOf(registry, 'sluice_messages_total', ({ result }) => result === 'accepted'),
        totalOf(registry, 'sluice_messages_total', ({ result }) => !taken.has(String(result))),
        totalOf(registry, 'sluice_turns_total'),
        totalOf(registry, 'sluice_turns_total', ({ outcome }) => failing.has(String(outcome))),
        totalOf(registry, 'sluice_hand_overs_total'),
        totalOf(registry, 'sluice_takeovers_total'),
      ]);
      return { messages, refused, turns, failed, hand_overs, takeovers };
    },
    /** The text that Prometheus reads. */
    async text(): Promise<string> {
      // Not asked while Redis does not answer: the call would be given up too late for a scrape.
      cluster = sources.state()?.isRedisUp ? await sources.cluster() : undefined;
      return registry.metrics();
    },
  };
}

/** The names of all agents, and of those that run turns in processes. */
function agentNames(configs: AgentKinds) {
  const agents = Object.keys(configs);
  const isProcess = (name: string) => ['command', 'module'].includes(configs[name]?.kind ?? '');
  return { agents, processAgents: agents.filter(isProcess) };
}
