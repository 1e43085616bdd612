import { httpStatus } from '@sluice/protocol';
import { z } from 'zod';
import {
  createDocument,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathsObject,
  type ZodOpenApiResponsesObject,
} from 'zod-openapi';
import { VERSION } from '../../../node/version.js';
import { type Answer, type DescribedRoute, defineRoute, type RouteDoc } from '../define-route.js';
import { errorShape } from '../shapes.js';

/** `GET /openapi.json`: describes `routes` and itself, with the same schemas that check requests. */
export function documentRoute(routes: readonly DescribedRoute[]): DescribedRoute {
  let text: string | undefined;
  const route = defineRoute({
    method: 'GET',
    path: '/openapi.json',
    access: 'public',
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
          'needs is the scope that its security requirement names; `admin` includes the others.',
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

function operation({ access, doc }: DescribedRoute): ZodOpenApiOperationObject {
  const { summary, params, query, body, isBodyOptional } = doc;
  const content = { 'application/json': { schema: body ?? z.unknown() } };
  return {
    summary,
    security: access === 'public' ? [] : [{ bearer: [access] }],
    requestParams: { ...(params ? { path: params } : {}), ...(query ? { query } : {}) },
    ...(body ? { requestBody: { required: !isBodyOptional, content } } : {}),
    responses: { ...refusals(doc), ...answers(doc.answers) },
  };
}

function answers(answers: Readonly<Record<number, Answer>>): ZodOpenApiResponsesObject {
  return Object.fromEntries(
    Object.entries(answers).map(([status, { description, schema, contentType }]) => {
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
