import { monotonicMs } from '@sluice/runtime';
import { z } from 'zod';
import { type DescribedRoute, defineRoute } from './http/define-route.js';

/** A node whose event loop had no tick for this long is not ready. */
const LAG_MS = 1_000;
/** And for this long: not alive. */
const STUCK_MS = 10_000;
const TICK_MS = 250;

export type Probes = {
  readonly routes: readonly DescribedRoute[];
  stop(): void;
};

export type ProbeSources = {
  readonly nodeId: string;
  isStarting(): boolean;
  isDraining(): boolean;
  isRedisReachable(): boolean;
  /** Whether a majority of lease.quorum answers; true without one. */
  hasMajority(): boolean;
};

/** `/health`, `/ready`, `/live`. A node is alive only while its event loop makes progress. */
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
      ...(sources.hasMajority() ? [] : ['quorum']),
      ...(behindMs() > LAG_MS ? ['event-loop'] : []),
    ];
  }

  const node_id = sources.nodeId;
  const routes = [
    defineRoute({
      method: 'GET',
      path: '/health',
      access: 'public',
      operate: 'whole',
      summary: 'How the node is; 200 as long as it answers',
      answers: { 200: { description: 'What fails, if anything', schema: healthShape } },
      run({ reply }) {
        const reasons = failing();
        const status = reasons.length === 0 ? 'ok' : 'degraded';
        reply.json(200, { status, failing: reasons, node_id });
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/ready',
      access: 'public',
      operate: 'whole',
      summary: 'Whether the node takes new connections',
      answers: {
        200: { description: 'It does', schema: readyShape },
        503: { description: 'It does not', schema: notReadyShape },
      },
      run({ reply }) {
        const reasons = failing();
        if (reasons.length === 0) reply.json(200, { status: 'ready', node_id });
        else reply.json(503, { status: 'not_ready', failing: reasons, node_id });
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/live',
      access: 'public',
      operate: 'whole',
      summary: 'Whether the node makes progress',
      answers: {
        200: { description: 'It does', schema: liveShape },
        503: { description: 'Its event loop is stuck', schema: liveShape },
      },
      run({ reply }) {
        const alive = behindMs() < STUCK_MS;
        reply.json(alive ? 200 : 503, { status: alive ? 'live' : 'stuck', node_id });
      },
    }),
  ];
  return { routes, stop: () => clearInterval(ticker) };
}

const failingShape = z.array(z.enum(['starting', 'draining', 'redis', 'quorum', 'event-loop']));
const node = { node_id: z.string() };
const healthShape = z.object({
  status: z.enum(['ok', 'degraded']),
  failing: failingShape,
  ...node,
});
const readyShape = z.object({ status: z.literal('ready'), ...node });
const notReadyShape = z.object({
  status: z.literal('not_ready'),
  failing: failingShape,
  ...node,
});
const liveShape = z.object({ status: z.enum(['live', 'stuck']), ...node });
