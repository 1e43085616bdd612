import type { ClusterState } from '@sluice/runtime';
import type { Registry } from 'prom-client';
import { gaugeBy, gaugeIfKnown } from './instruments.js';

const EVERYWHERE = 'Every node answers the same: take the maximum, never the sum.';

type OneNumber = {
  [K in keyof ClusterState]: ClusterState[K] extends number ? K : never;
}[keyof ClusterState];

const gauges: readonly [name: string, of: OneNumber, help: string][] = [
  [
    'sluice_cluster_pending_messages',
    'pendingMessages',
    'Messages in all inboxes, those being executed included; of a partition the first 100 sessions are counted.',
  ],
  ['sluice_cluster_pending_sessions', 'pendingSessions', 'Sessions with work.'],
  [
    'sluice_cluster_live_workers',
    'liveWorkers',
    'Nodes with the role worker that beat and do not drain.',
  ],
  ['sluice_cluster_dead_letters', 'deadLetters', 'Dead letters that are kept.'],
  ['sluice_cluster_paused_agents', 'pausedAgents', 'Agents that an operator has paused.'],
  ['sluice_cluster_redis_memory_bytes', 'memoryBytes', 'Memory that Redis uses, in bytes.'],
  [
    'sluice_cluster_redis_maxmemory_bytes',
    'maxMemoryBytes',
    'maxmemory of Redis, in bytes; 0: no limit.',
  ],
];

/** Gauges without a value while `state` returns undefined, because Redis is away. */
export function clusterMetrics(registry: Registry, state: () => ClusterState | undefined): void {
  for (const [name, of, text] of gauges) {
    gaugeIfKnown(registry, { name, help: `${text} ${EVERYWHERE}`, read: () => state()?.[of] });
  }
  gaugeIfKnown(registry, {
    name: 'sluice_cluster_oldest_pending_seconds',
    help: `Seconds since the oldest head of an inbox was accepted, of the first 100 sessions of each partition without those that are paused; 0: none. ${EVERYWHERE}`,
    read() {
      const known = state();
      return known && known.oldestPendingMs / 1_000;
    },
  });
  gaugeBy(registry, {
    name: 'sluice_cluster_nodes',
    help: `Nodes that beat within the last minute; silent: not for 3 s. ${EVERYWHERE}`,
    label: 'state',
    read: () => state()?.nodes,
  });
  gaugeBy(registry, {
    name: 'sluice_cluster_group_lag',
    help: `Entries of the SESSION_END stream not yet delivered to the group. ${EVERYWHERE}`,
    label: 'group',
    read: () => state()?.groupLag,
  });
  gaugeBy(registry, {
    name: 'sluice_cluster_group_pending',
    help: `Entries of the SESSION_END stream delivered to the group and not acknowledged. ${EVERYWHERE}`,
    label: 'group',
    read: () => state()?.groupPending,
  });
}
