/**
 * Every metric of a node by name, with its help, labels and steps; only here is prom-client known.
 *
 * `../metrics.ts` makes them, and hands each room those that it counts with. What they mean: docs/reference/metrics.md.
 * Not here: what the store measures. Its types are in `packages/runtime`, since the store must not know prom-client.
 */
export { clusterMetrics } from './cluster.js';
export { type EdgeMetrics, edgeMetrics } from './edge.js';
export type { CountBy, ObserveMs } from './instruments.js';
export { type NodeState, nodeMetrics, redisMetrics } from './node.js';
export {
  METRICS_CONTENT_TYPE,
  type MetricsRegistry,
  makeRegistry,
  sessionEndMetric,
} from './registry.js';
export { totalOf } from './totals.js';
export {
  type DeadLetterReason,
  type FinishedTurn,
  type RetryReason,
  type WorkerMetrics,
  workerMetrics,
} from './worker.js';
