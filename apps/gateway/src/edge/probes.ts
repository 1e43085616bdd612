import { monotonicMs } from '@sluice/runtime';
import type { Route } from './transport.js';

/** No tick of the event loop for so long: not ready; for longer: not alive. */
const LAG_MS = 1_000;
const STUCK_MS = 10_000;
const TICK_MS = 250;

export type Probes = {
  readonly routes: readonly Route[];
  stop(): void;
};

export type ProbeSources = {
  readonly nodeId: string;
  isStarting(): boolean;
  isDraining(): boolean;
  isRedisReachable(): boolean;
};

/** `/health`, `/ready`, `/live`: liveness is progress of the event loop, not mere presence. */
export function makeProbes(sources: ProbeSources): Probes {
  let tickedMs = monotonicMs();
  let lagMs = 0;
  const ticker = setInterval(() => {
    const now = monotonicMs();
    lagMs = Math.max(0, now - tickedMs - TICK_MS);
    tickedMs = now;
  }, TICK_MS);
  ticker.unref();
  const behindMs = () => Math.max(lagMs, monotonicMs() - tickedMs - TICK_MS);

  function failing(): string[] {
    return [
      ...(sources.isStarting() ? ['starting'] : []),
      ...(sources.isDraining() ? ['draining'] : []),
      ...(sources.isRedisReachable() ? [] : ['redis']),
      ...(behindMs() > LAG_MS ? ['event-loop'] : []),
    ];
  }

  const node_id = sources.nodeId;
  return {
    routes: [
      {
        method: 'GET',
        path: '/health',
        access: 'public',
        run: ({ reply }) => {
          const reasons = failing();
          reply.json(200, {
            status: reasons.length === 0 ? 'ok' : 'degraded',
            failing: reasons,
            node_id,
          });
        },
      },
      {
        method: 'GET',
        path: '/ready',
        access: 'public',
        run: ({ reply }) => {
          const reasons = failing();
          if (reasons.length === 0) reply.json(200, { status: 'ready', node_id });
          else reply.json(503, { status: 'not_ready', failing: reasons, node_id });
        },
      },
      {
        method: 'GET',
        path: '/live',
        access: 'public',
        run: ({ reply }) => {
          const alive = behindMs() < STUCK_MS;
          reply.json(alive ? 200 : 503, { status: alive ? 'live' : 'stuck', node_id });
        },
      },
    ],
    stop: () => clearInterval(ticker),
  };
}
