import { collectDefaultMetrics, Registry } from 'prom-client';
import { counterBy } from './instruments.js';

export type MetricsRegistry = Registry;

export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/** A new registry with prom-client's metrics of the process (`nodejs_`, `process_`). */
export function makeRegistry(): MetricsRegistry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
}

/** One counter for both roles, since both end sessions. */
export const sessionEndMetric = <ReasonCode extends string>(
  registry: Registry,
  reasonCodes: readonly ReasonCode[],
) =>
  counterBy(registry, {
    name: 'sluice_session_ends_total',
    help: 'SESSION_END records that were made through this node, by reason_code.',
    label: 'reason_code',
    kinds: reasonCodes,
  });
