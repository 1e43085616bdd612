export { type ClusterState, clusterMetrics } from './cluster.js';
export { type EdgeMetrics, edgeMetrics } from './edge.js';
export type { CountBy, ObserveMs } from './instruments.js';
export { type NodeState, nodeMetrics, type RedisMetrics, redisMetrics } from './node.js';
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
