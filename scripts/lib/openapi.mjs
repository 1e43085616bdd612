import { metricsRoute } from '../../apps/gateway/dist/edge/http/routes/metrics.js';
import { makeProbes } from '../../apps/gateway/dist/edge/probes.js';
import { makeRoutes } from '../../apps/gateway/dist/edge/routes.js';

/** The document of `GET /openapi.json`, made by the built gateway without a running node. */
export function openApiDocument() {
  const probes = makeProbes({
    nodeId: 'n',
    isStarting: () => false,
    isDraining: () => false,
    isRedisReachable: () => true,
  });
  probes.stop();
  const own = [...probes.routes, metricsRoute('admin', async () => '')];
  // An empty context will do: routes use it only when a request comes.
  const routes = makeRoutes({}, { own, streams: new Set(), waits: new Set(), info: () => ({}) });
  const document = routes.find(({ path }) => path === '/openapi.json');
  let text = '';
  const reply = {
    text: (_status, body) => {
      text = body;
    },
  };
  const request = { query: new URLSearchParams() };
  document.run({ reply, request, identity: { scopes: [] }, standing: 'caller' });
  return JSON.parse(text);
}
