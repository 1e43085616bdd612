/** Every path of a gateway as the router has it, made without a running node. */
import { z } from 'zod';
import type { DescribedRoute } from '../../../apps/gateway/src/edge/http/define-route.js';
import { metricsRoute } from '../../../apps/gateway/src/edge/http/routes/metrics.js';
import { socketPathRoute } from '../../../apps/gateway/src/edge/http/routes/socket-path.js';
import { shownSchema } from '../../../apps/gateway/src/edge/http/shown.js';
import { makeProbes } from '../../../apps/gateway/src/edge/probes.js';
import { makeRoutes } from '../../../apps/gateway/src/edge/routes.js';

export function routeTable(): DescribedRoute[] {
  const probes = makeProbes({
    nodeId: 'n',
    isStarting: () => false,
    isDraining: () => false,
    isRedisReachable: () => true,
    hasMajority: () => true,
  });
  probes.stop();
  const own = [...probes.routes, metricsRoute('admin', async () => '')];
  // Routes do not use the context before a request comes.
  const kept = { streams: new Set<never>(), waits: new Set<never>() };
  const routes = Reflect.apply(makeRoutes, undefined, [{}, { ...kept, info: () => ({}), own }]);
  return [...own, ...routes, socketPathRoute];
}

/** `GET /v1/sessions/{id}`, as in the OpenAPI document. */
export const nameOf = ({ method, path }: Pick<DescribedRoute, 'method' | 'path'>) =>
  `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`;

type Json = Readonly<Record<string, unknown>>;
const isJson = (value: unknown): value is Json => typeof value === 'object' && value !== null;

/** What scope `operate` may be shown of a path: names of fields, and places where any field could be. */
export function shownFields({ doc }: DescribedRoute): { names: string[]; open: string[] } {
  const names = new Set<string>();
  const open: string[] = [];
  const look = (node: unknown, at: string, root: Json): void => {
    if (!isJson(node)) return;
    const ref = typeof node.$ref === 'string' ? node.$ref.split('/').at(-1) : undefined;
    if (ref !== undefined && isJson(root.$defs)) return look(root.$defs[ref], at, root);
    const isTyped = ['type', 'anyOf', 'oneOf', 'const', 'enum'].some((key) => key in node);
    if (!isTyped) open.push(at);
    if (node.type === 'object' && node.additionalProperties !== false) open.push(at);
    for (const [name, field] of Object.entries(isJson(node.properties) ? node.properties : {})) {
      names.add(name);
      look(field, `${at}.${name}`, root);
    }
    const variants = [node.anyOf, node.oneOf].filter(Array.isArray).flat();
    for (const below of [node.items, ...variants]) look(below, at, root);
  };
  for (const status of Object.keys(doc.answers)) {
    const schema = shownSchema(doc.operate, doc.answers, Number(status));
    if (!schema) continue;
    const root = z.toJSONSchema(schema, { io: 'output' });
    look(root, status, root);
  }
  return { names: [...names].sort(), open };
}
