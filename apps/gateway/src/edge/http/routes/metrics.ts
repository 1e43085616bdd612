import { METRICS_CONTENT_TYPE } from '../../../metrics/index.js';
import type { Route } from '../../network/transport.js';
import { type DescribedRoute, defineRoute } from '../define-route.js';

/** `GET /metrics`, in the text format of Prometheus. */
export function metricsRoute(access: Route['access'], text: () => Promise<string>): DescribedRoute {
  return defineRoute({
    method: 'GET',
    path: '/metrics',
    access,
    operate: 'whole',
    summary: 'What this node counts and measures, for Prometheus (docs/reference/metrics.md)',
    answers: { 200: { description: 'The metrics', contentType: 'text/plain' } },
    async run({ reply }) {
      reply.text(200, await text(), METRICS_CONTENT_TYPE);
    },
  });
}
