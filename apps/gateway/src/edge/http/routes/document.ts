import { httpStatus } from '@sluice/protocol';
import { z } from 'zod';
import {
  createDocument,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathsObject,
  type ZodOpenApiResponsesObject,
} from 'zod-openapi';
import { VERSION } from '../../../node/version.js';
import { type DescribedRoute, defineRoute, type RouteDoc } from '../define-route.js';
import { errorShape } from '../shapes.js';
import { describedSchema } from '../shown.js';

/** `GET /openapi.json`: describes `routes` and itself, with the same schemas that check requests. */
export function documentRoute(routes: readonly DescribedRoute[]): DescribedRoute {
  let text: string | undefined;
  const route = defineRoute({
    method: 'GET',
    path: '/openapi.json',
    access: 'public',
    operate: 'whole',
    summary: 'This document',
    answers: {
      200: { description: 'OpenAPI 3.1', schema: z.looseObject({ openapi: z.literal('3.1.0') }) },
    },
    run({ reply }) {
      text ??= JSON.stringify(describe([...routes, route]));
      reply.text(200, text, 'application/json; charset=utf-8');
    },
  });
  return route;
}

function describe(routes: readonly DescribedRoute[]) {
  const paths: ZodOpenApiPathsObject = {};
  for (const route of routes) {
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) };
  }
  return createDocument(
    {
      openapi: '3.1.0',
      info: {
        title: 'Sluice',
        version: VERSION,
        description:
          'Sessions with AI agents. Frames of the WebSocket at /ws: docs/reference/protocol.md. What a path ' +
          'needs is one of the scopes that its security requirements name; `admin` includes the others. The answers to ' +
          '`operate` have ids, states and codes only.',
      },
      security: [{ bearer: [] }],
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
      paths,
    },
    {
      // Clients ignore fields that they do not know, since later releases may add some.
      override({ jsonSchema, io }) {
        if (io === 'output' && jsonSchema.additionalProperties === false) {
          delete jsonSchema.additionalProperties;
        }
      },
    },
  );
}

function operation({ access, operate, doc }: DescribedRoute): ZodOpenApiOperationObject {
  const { summary, params, query, body, isBodyOptional } = doc;
  const content = { 'application/json': { schema: body ?? z.unknown() } };
  return {
    summary,
    security: scopesOf({ access, operate }).map((scope) => ({ bearer: [scope] })),
    requestParams: { ...(params ? { path: params } : {}), ...(query ? { query } : {}) },
    ...(body ? { requestBody: { required: !isBodyOptional, content } } : {}),
    responses: { ...refusals(doc), ...answers(doc) },
  };
}

/** Any of them is enough. */
function scopesOf({ access, operate }: Pick<DescribedRoute, 'access' | 'operate'>) {
  if (access === 'public') return [];
  return operate ? [access, 'operate'] : [access];
}

function answers({ answers, operate }: RouteDoc): ZodOpenApiResponsesObject {
  return Object.fromEntries(
    Object.entries(answers).map(([status, { description, contentType }]) => {
      const schema = describedSchema(operate, answers, Number(status));
      const type = contentType ?? (schema ? 'application/json' : undefined);
      if (type === undefined) return [status, { description }];
      return [status, { description, content: { [type]: { schema: schema ?? z.string() } } }];
    }),
  );
}

const retryAfter = {
  'retry-after': { description: 'Seconds', schema: { type: 'string' as const } },
};

/** The errors of a route: one answer for each status, with the codes that it may have. */
function refusals({ errors }: RouteDoc): ZodOpenApiResponsesObject {
  const statuses = [...new Set(errors.map(httpStatus))].sort();
  return Object.fromEntries(
    statuses.map((status) => {
      const codes = errors.filter((code) => httpStatus(code) === status);
      return [
        String(status),
        {
          description: codes.map((code) => `\`${code}\``).join(', '),
          ...(status === 429 || status === 503 ? { headers: retryAfter } : {}),
          content: { 'application/json': { schema: errorShape } },
        },
      ];
    }),
  );
}
