import { PORT } from './defaults.js';
import { clusterFaults } from './redis-url.js';
import type { Given } from './schema.js';

/** Checks relations between given values; defaults adapt to given values instead (defaults.ts). */
export function relationFaults({ gateway = {}, redis = {} }: Given): string[] {
  const faults = redis.cluster ? clusterFaults(redis.cluster.nodes, redis.url) : [];
  const { close_spread, drain_timeout, max_buffered_bytes, max_payload, max_reply } = gateway;
  if (close_spread !== undefined && drain_timeout !== undefined && close_spread > drain_timeout) {
    faults.push(
      `gateway.close_spread: ${close_spread} ms is longer than gateway.drain_timeout ` +
        `(${drain_timeout} ms); give at most that`,
    );
  }
  if (gateway.admin_port && gateway.admin_port === (gateway.port ?? PORT)) {
    faults.push(
      `gateway.admin_port: ${gateway.admin_port} is gateway.port; give another one, or leave it out`,
    );
  }
  const largest = Math.max(max_payload ?? 0, max_reply ?? 0);
  if (max_buffered_bytes !== undefined && max_buffered_bytes < 2 * largest) {
    const other = largest === max_payload ? 'gateway.max_payload' : 'gateway.max_reply';
    faults.push(
      `gateway.max_buffered_bytes: ${max_buffered_bytes} bytes are less than 2 x ${other} ` +
        `(${largest} bytes); give at least ${2 * largest}`,
    );
  }
  return faults;
}
