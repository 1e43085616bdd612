import { checked, type ErrorCode, firstIssue, parseExactJson } from '@sluice/protocol';
import { StoreBusy, StoreUnavailable, whyUnavailable } from '@sluice/store';
import { z } from 'zod';
import { neededScopes } from '../access/standing.js';
import { retryAfter } from '../limits/retry-after.js';
import type { Exchange, Route } from '../network/transport.js';
import { type Answer, type Operate, shownReply, standingFor } from './shown.js';

/** What the OpenAPI document has of a route, besides its method and path. */
export type RouteDoc = {
  readonly summary: string;
  readonly params?: z.ZodObject | undefined;
  readonly query?: z.ZodObject | undefined;
  readonly body?: z.ZodType | undefined;
  /** A request without a body counts as `{}`. */
  readonly isBodyOptional: boolean;
  readonly answers: Readonly<Record<number, Answer>>;
  readonly operate: Operate;
  /** Codes of all errors that it may answer with. */
  readonly errors: readonly ErrorCode[];
};

export type DescribedRoute = Route & { readonly doc: RouteDoc };

type Input<Q extends z.ZodObject, B extends z.ZodType> = {
  readonly query: z.output<Q>;
  readonly body: z.output<B>;
};

type Definition<Q extends z.ZodObject, B extends z.ZodType> = Pick<
  Route,
  'method' | 'path' | 'access' | 'cost'
> & {
  readonly summary: string;
  /** The `:names` of the path, for the document; the route itself checks their values. */
  readonly params?: z.ZodObject;
  readonly query?: Q;
  readonly body?: B;
  /** A request without a body counts as `{}`. */
  readonly isBodyOptional?: true;
  /** In place of `body`: `run` reads the body itself, as a frame of this schema. */
  readonly frame?: z.ZodType;
  readonly answers: Readonly<Record<number, Answer>>;
  /** Of a public path: 'whole'. docs/operate/security.md has a row for each path. */
  readonly operate: Operate;
  readonly errors?: readonly ErrorCode[];
  run(exchange: Exchange, input: Input<Q, B>): void | Promise<void>;
};

const always: readonly ErrorCode[] = ['origin_not_allowed', 'internal'];
const guarded: readonly ErrorCode[] = [
  'auth_required',
  'auth_unauthorized',
  'insufficient_scope',
  'rate_limited',
];

/**
 * A route whose query and body are checked by the same schemas that describe them. `?principal=` needs the scope
 * `admin` or, where the route says so, `operate`; that scope gets the fields that it may see. While Redis is away the
 * route answers `unavailable`, which is no failure of the gateway (C3).
 */
export function defineRoute<
  Q extends z.ZodObject = z.ZodObject<Record<never, never>>,
  B extends z.ZodType = z.ZodUndefined,
>(definition: Definition<Q, B>): DescribedRoute {
  const { method, path, access, cost, summary, params, query, body, frame } = definition;
  const { answers, operate } = definition;
  const { isBodyOptional = false } = definition;
  const errors = new Set<ErrorCode>([
    ...always,
    ...(access === 'public' ? [] : guarded),
    ...(params || query || body || frame ? (['invalid_frame'] as const) : []),
    ...(body || frame ? (['payload_too_large'] as const) : []),
    ...(definition.errors ?? []),
  ]);
  const sent = { body: body ?? frame, isBodyOptional };
  const doc = { summary, params, query, ...sent, answers, operate, errors: [...errors] };

  const reached = { access: 'admin', operate: operate !== 'refused' } as const;

  async function run(exchange: Exchange): Promise<void> {
    const { request, reply } = exchange;
    const names = Object.keys(query?.shape ?? {});
    const given = names.filter((name) => request.query.has(name));
    const standing = standingFor(exchange, { operate, names: given.includes('principal') });
    if (standing === undefined) {
      const text = `?principal= needs the scope ${neededScopes(reached)}; where gateway.admin_port is set, ask at that port`;
      return reply.error('insufficient_scope', text);
    }
    const asked = checked(
      query ?? nothing,
      Object.fromEntries(given.map((name) => [name, request.query.get(name)])),
    );
    if (!asked.success) return reply.error('invalid_frame', firstIssue(asked.error).message);
    const sent = body
      ? await readJson(exchange, { schema: body, isOptional: isBodyOptional })
      : undefined;
    if (body && !sent) return;
    try {
      const input = { query: asked.data, body: sent?.data } as Input<Q, B>;
      const seen = standing === 'operate' ? shownReply(reply, operate, answers) : reply;
      await definition.run({ ...exchange, reply: seen, standing }, input);
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      if (error instanceof StoreBusy) {
        return reply.error('rate_limited', whyUnavailable(error), retryAfter(error.retryAfterMs));
      }
      reply.error('unavailable', `${whyUnavailable(error)}; try again`);
    }
  }
  const paid = cost === undefined ? {} : { cost };
  return { method, path, access, operate: reached.operate, ...paid, doc, run };
}

const nothing = z.object({});

/** The body, checked by its schema; undefined: the client is gone, or the error was sent. */
async function readJson(
  { request, reply }: Exchange,
  { schema, isOptional }: { schema: z.ZodType; isOptional: boolean },
) {
  // The server has kept no more than `gateway.max_payload`.
  const text = await request.body(Number.MAX_SAFE_INTEGER);
  if (text === 'aborted') return undefined;
  if (text === 'too_large') {
    reply.error('payload_too_large', 'the body exceeds gateway.max_payload');
    return undefined;
  }
  const parsed = parseExactJson(text === '' && isOptional ? '{}' : text);
  if (parsed.kind === 'refused') {
    reply.error('invalid_frame', parsed.message);
    return undefined;
  }
  const decoded = checked(schema, parsed.value);
  if (decoded.success) return decoded;
  reply.error('invalid_frame', firstIssue(decoded.error).message);
  return undefined;
}
