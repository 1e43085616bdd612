import type { Registry } from 'prom-client';
import { counter, counterBy, histogram, histogramMs } from './instruments.js';

/** Buckets of an acknowledgement: from one call to Redis on a quiet machine to an overloaded one. */
const ACK_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];
const EVENTS = [0, 1, 10, 100, 1_000, 10_000];

export type EdgeMetrics<Upgrade extends string, Message extends string> = ReturnType<
  typeof edgeMetrics<Upgrade, Message>
>;

/** The counters of the edge. `Upgrade` and `Message` are the possible results. */
export function edgeMetrics<Upgrade extends string, Message extends string>(
  registry: Registry,
  { upgrades, messages }: { upgrades: readonly Upgrade[]; messages: readonly Message[] },
) {
  return {
    upgrade: counterBy(registry, {
      name: 'sluice_upgrades_total',
      help: 'Requests for a WebSocket, by what came of them: accepted, draining, full, invalid, or the code of hello_error.',
      label: 'result',
      kinds: upgrades,
    }),
    message: counterBy(registry, {
      name: 'sluice_messages_total',
      help: 'Messages sent by clients over sockets and HTTP: accepted, duplicate, or the code of the error.',
      label: 'result',
      kinds: messages,
    }),
    ackMs: histogramMs(registry, {
      name: 'sluice_ack_seconds',
      help: 'From the frame or request that was read to its acknowledgement, in seconds.',
      buckets: ACK_S,
    }),
    replayed: histogram(registry, {
      name: 'sluice_replay_events',
      help: 'Events of the log behind the cursor with which a connection attached; 0 when a snapshot is sent.',
      buckets: EVENTS,
    }),
    slowConsumer: counter(registry, {
      name: 'sluice_slow_consumers_total',
      help: 'Connections closed since they read too slowly: 1013 on a WebSocket, a stream of events broken off.',
    }),
    rateLimited: counterBy<
      'upgrades' | 'unauthenticated' | 'messages' | 'sessions' | 'requests' | 'frames'
    >(registry, {
      name: 'sluice_rate_limited_total',
      help: 'Refusals by a limit of gateway.rate_limit.',
      label: 'limit',
      kinds: ['upgrades', 'unauthenticated', 'messages', 'sessions', 'requests', 'frames'],
    }),
  };
}
