import type { RedisMetrics } from '@sluice/runtime';
import { Gauge, type Registry } from 'prom-client';
import { counterBy, gauge, gaugeBy, gaugeIfKnown, histogramMsBy } from './instruments.js';

/** Redis answers a small script in a tenth of a millisecond; the store gives up after 2 s. */
const CALL_S = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1, 2.5];

/** State of the node, read at each scrape. */
export type NodeState = {
  readonly webSockets: number;
  readonly streams: number;
  readonly executing: number;
  readonly waiting: number;
  readonly concurrency: number;
  readonly lingering: number;
  /** 0: the node does not drain. */
  readonly drainingSinceMs: number;
  readonly isRedisUp: boolean;
  /** Members of lease.quorum; undefined: this node has none. */
  readonly quorum?: { readonly answering: number; readonly members: number } | undefined;
};

export function nodeMetrics(
  registry: Registry,
  about: { version: string; nowMs(): number; state(): NodeState },
): void {
  const { version, nowMs, state } = about;
  new Gauge({
    name: 'sluice_build_info',
    help: '1; the release and the version of Node that it runs on are labels.',
    labelNames: ['version', 'node_version'],
    registers: [registry],
  }).set({ version, node_version: process.version }, 1);
  gaugeBy(registry, {
    name: 'sluice_connections',
    help: 'Connections that are open now: WebSockets, and streams of Server-Sent Events.',
    label: 'kind',
    read: () => ({ websocket: state().webSockets, sse: state().streams }),
  });
  gauge(registry, {
    name: 'sluice_executing_turns',
    help: 'Slots of worker.concurrency that are taken.',
    read: () => state().executing,
  });
  gauge(registry, {
    name: 'sluice_concurrency',
    help: 'Slots that this node has (worker.concurrency); 0 without the role worker.',
    read: () => state().concurrency,
  });
  gauge(registry, {
    name: 'sluice_waiting_turns',
    help: 'Turns that wait on this node for a slot of worker.concurrency.',
    read: () => state().waiting,
  });
  gauge(registry, {
    name: 'sluice_lingering_leases',
    help: 'Leases of sessions without work, kept for their next message (lease.linger).',
    read: () => state().lingering,
  });
  gauge(registry, {
    name: 'sluice_draining',
    help: '1 while this node drains, else 0.',
    read: () => (state().drainingSinceMs > 0 ? 1 : 0),
  });
  gauge(registry, {
    name: 'sluice_drain_seconds',
    help: 'Seconds since the drain of this node began; 0 before.',
    read() {
      const { drainingSinceMs } = state();
      return drainingSinceMs > 0 ? (nowMs() - drainingSinceMs) / 1_000 : 0;
    },
  });
  gauge(registry, {
    name: 'sluice_redis_up',
    help: '1 when Redis answered this node within the last 0.7 s, else 0.',
    read: () => (state().isRedisUp ? 1 : 0),
  });
  gaugeIfKnown(registry, {
    name: 'sluice_quorum_members',
    help: 'Members of lease.quorum; no line without a quorum.',
    read: () => state().quorum?.members,
  });
  gaugeIfKnown(registry, {
    name: 'sluice_quorum_members_answering',
    help: 'Members of lease.quorum that answer this node; leases are taken while they are a majority.',
    read: () => state().quorum?.answering,
  });
}

/** `calls`: the names in the store of its scripts and commands; `fencedCalls`: those made under a lease. */
export function redisMetrics(
  registry: Registry,
  { calls, fencedCalls }: { calls: readonly string[]; fencedCalls: readonly string[] },
): RedisMetrics {
  return {
    answeredMs: histogramMsBy(registry, {
      name: 'sluice_redis_call_seconds',
      help: 'Time of a script or command at Redis that was answered, as this node saw it, in seconds.',
      label: 'call',
      buckets: CALL_S,
    }),
    failed: counterBy(registry, {
      name: 'sluice_redis_errors_total',
      help: 'Scripts and commands that failed, timed out, or could not be sent.',
      label: 'call',
      kinds: calls,
    }),
    fenced: counterBy(registry, {
      name: 'sluice_fenced_writes_total',
      help: 'Writes that Redis refused since the session had passed to another lease (L3).',
      label: 'call',
      kinds: fencedCalls,
    }),
  };
}
