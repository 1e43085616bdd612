import { nobody } from '../access/authenticate.js';
import type { Identity } from '../access/identity.js';
import { neededScopes, type Standing, standingOf } from '../access/standing.js';
import { costs } from '../limits/costs.js';
import { TOO_MANY_REQUESTS, unlessAway } from '../limits/rates.js';
import { makeRequestBurst } from '../limits/request-burst.js';
import { retryAfter } from '../limits/retry-after.js';
import { makeRequest, type RawResponse, Reply, type RequestHead } from './http-exchange.js';
import { type Identified, makeIdentify } from './identify.js';
import { makeFindRoute } from './router.js';
import type { HttpRequest, Route, ServerOptions } from './transport.js';

export type HttpOptions = Pick<
  ServerOptions,
  | 'routes'
  | 'authenticate'
  | 'checkOrigin'
  | 'keepAlive'
  | 'maxPayloadBytes'
  | 'rates'
  | 'unsent'
  | 'log'
>;

/** Answers one request; the caller must call `gone` when the client goes. */
export type ServeHttp = (raw: RawResponse, head: RequestHead) => { gone(): void };

/** The same for every path, so that a preflight does not reveal what exists. */
const preflight = {
  'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS',
  'access-control-allow-headers': 'authorization, content-type, last-event-id',
  'access-control-max-age': '600',
};

/**
 * The library closes idle connections after 8 to 12 s, and this cannot be set. So clients are told to close theirs
 * before that, or not to keep one at all.
 */
function alwaysHeaders(keepAlive: boolean): Record<string, string> {
  const always = { 'x-content-type-options': 'nosniff', vary: 'origin' };
  return keepAlive ? { ...always, 'keep-alive': 'timeout=7' } : { ...always, connection: 'close' };
}

function corsHeaders(always: Record<string, string>, cors: string | undefined) {
  if (cors === undefined) return always;
  return {
    ...always,
    'access-control-allow-origin': cors,
    'access-control-expose-headers': 'retry-after, sluice-outcome',
  };
}

/** Checks in this order: origin, credentials, scope, rate; then the route. */
export function makeServeHttp(options: HttpOptions): ServeHttp {
  const findRoute = makeFindRoute(options.routes);
  const always = alwaysHeaders(options.keepAlive);
  const identify = makeIdentify(options);

  const answer = (asked: Asked, who: Identified) => {
    const { head, reply } = asked;
    const found = findRoute(head.method, head.path);
    const isPublic = found.kind === 'route' && found.route.access === 'public';
    if (who.kind !== 'ok' && !isPublic) return refuse(reply, who);
    const identity = who.kind === 'ok' ? who.identity : nobody;
    reply.isFor(options.unsent.of('http', identity.principal));
    if (found.kind === 'unknown') return reply.error('not_found', 'There is nothing at this path.');
    if (found.kind === 'wrong_method') {
      const { allow } = found;
      return reply.error('method_not_allowed', `This path answers ${allow}.`, { allow });
    }
    const { route, params } = found;
    const standing = standingOf(identity, route);
    if (standing === undefined) {
      return reply.error('insufficient_scope', `This needs the scope ${neededScopes(route)}.`);
    }
    if (!isPublic && options.unsent.isFull(identity.principal)) {
      return reply.error(
        'unavailable',
        'Too many answers wait to be read; come again in a moment.',
      );
    }
    const go = () => run(route, { request: asked.request(), reply, identity, standing, params });
    const cost = costOf(route, head);
    if (cost === 0) return go();
    const drawn = options.rates.request(identity.principal, cost);
    when(asked, drawn instanceof Promise ? unlessAway(drawn) : drawn, (admitted) => {
      if (admitted.kind === 'admitted') return go();
      reply.error('rate_limited', TOO_MANY_REQUESTS, retryAfter(admitted.retryAfterMs));
    });
  };

  /**
   * Goes on at once, or when `known` resolves. The library drops a body that comes before somebody listens. So reading
   * begins at once, and pauses after what came with the head until `known` resolves.
   */
  const when = <T>(asked: Asked, known: T | Promise<T>, goOn: (value: T) => void) => {
    if (!(known instanceof Promise)) return goOn(known);
    const { raw, reply } = asked;
    asked.request();
    raw.pause();
    const resume = () => {
      if (!reply.aborted) raw.resume();
    };
    known.then(resume, resume);
    known
      .then((value) => {
        if (reply.isOpen) goOn(value);
      })
      .catch((err) => {
        options.log.error({ err }, 'a credential could not be verified');
        if (reply.isOpen) reply.error('internal', 'The gateway failed.');
      });
  };

  const run = (route: Route, exchange: RunExchange) => {
    const failed = (err: unknown) => {
      options.log.error({ err, method: route.method, route: route.path }, 'a request failed');
      if (exchange.reply.isOpen) exchange.reply.error('internal', 'The gateway failed.');
      else exchange.reply.breakOff();
    };
    try {
      Promise.resolve(route.run(exchange)).catch(failed);
    } catch (err) {
      failed(err);
    }
  };

  const requestOf = (raw: RawResponse, head: RequestHead, reply: Reply) => {
    const hasBody = head.method !== 'GET' && head.method !== 'HEAD';
    const source = { raw, reply, maxBytes: options.maxPayloadBytes };
    return makeRequest(head, hasBody ? source : undefined);
  };

  const burst = makeRequestBurst();
  return (raw, head) => {
    const origin = options.checkOrigin(header(head, 'origin'), header(head, 'host'));
    const cors = origin.kind === 'ok' ? origin.cors : undefined;
    const reply = new Reply(raw, head.method === 'HEAD', {
      always: corsHeaders(always, cors),
      share: options.unsent.of('http', nobody.principal),
    });
    const asked = { raw, head, reply, request: once(() => requestOf(raw, head, reply)) };
    when(asked, burst(), () => {
      if (origin.kind === 'refused') reply.error(origin.code, origin.message);
      else if (head.method === 'OPTIONS') reply.empty(204, preflight);
      else when(asked, identify(head), (who) => answer(asked, who));
    });
    return { gone: () => reply.gone() };
  };
}

/** Operators and public paths are not limited. */
function costOf({ access, cost }: Route, { query }: RequestHead): number {
  if (access === 'public' || access === 'admin') return 0;
  return typeof cost === 'function' ? cost(new URLSearchParams(query)) : (cost ?? costs.call);
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

type Asked = {
  readonly raw: RawResponse;
  readonly head: RequestHead;
  readonly reply: Reply;
  /** The first call begins to read the body, if the method has one. */
  request(): HttpRequest;
};

type RunExchange = {
  readonly request: HttpRequest;
  readonly reply: Reply;
  readonly identity: Identity;
  readonly standing: Standing;
  readonly params: Record<string, string>;
};

function header(head: RequestHead, name: string): string {
  return head.headers.get(name) ?? '';
}

function refuse(reply: Reply, who: Exclude<Identified, { kind: 'ok' }>): void {
  if (who.kind === 'too_many') {
    const text = 'Too many requests without valid credentials from this address.';
    return reply.error('rate_limited', text, retryAfter(who.retryAfterMs));
  }
  const headers: Record<string, string> =
    who.code === 'unavailable' ? {} : { 'www-authenticate': 'Bearer' };
  reply.error(who.code, who.message, headers);
}
