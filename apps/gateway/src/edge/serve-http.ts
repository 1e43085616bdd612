import type { Logger } from '@sluice/runtime';
import { allows, nobody, presentedCredential } from './authenticate.js';
import { makeRequest, type RawResponse, Reply, type RequestHead } from './http-exchange.js';
import { makeFindRoute } from './router.js';
import type {
  Authenticate,
  AuthenticateOutcome,
  CheckOrigin,
  HttpRequest,
  Identity,
  Route,
} from './transport.js';

export type HttpOptions = {
  readonly routes: readonly Route[];
  readonly authenticate: Authenticate;
  readonly checkOrigin: CheckOrigin;
  readonly maxPayloadBytes: number;
  readonly log: Logger;
};

/** Answers one request; the second function must be called when the client goes. */
export type ServeHttp = (raw: RawResponse, head: RequestHead) => { gone(): void };

/** The same for every path, so that a preflight tells nothing about what exists. */
const preflight = {
  'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS',
  'access-control-allow-headers': 'authorization, content-type, last-event-id',
  'access-control-max-age': '600',
};

/** The library closes what is idle after 8 to 12 s, which is not ours to set: clients are to be first. */
const always = { 'x-content-type-options': 'nosniff', vary: 'origin', 'keep-alive': 'timeout=7' };

function corsHeaders(cors: string | undefined): Record<string, string> {
  if (cors === undefined) return always;
  return {
    ...always,
    'access-control-allow-origin': cors,
    'access-control-expose-headers': 'retry-after, sluice-outcome',
  };
}

/** Checks in this order: origin, credentials, scope; then the route. */
export function makeServeHttp(options: HttpOptions): ServeHttp {
  const findRoute = makeFindRoute(options.routes);

  const answer = (asked: Asked, who: AuthenticateOutcome, makeRequest: () => HttpRequest) => {
    const { head, reply } = asked;
    const found = findRoute(head.method, head.path);
    const isPublic = found.kind === 'route' && found.route.access === 'public';
    if (who.kind === 'refused' && !isPublic) return refuse(reply, who);
    const identity = who.kind === 'ok' ? who.identity : nobody;
    if (found.kind === 'unknown') return reply.error('not_found', 'There is nothing at this path.');
    if (found.kind === 'wrong_method') {
      const { allow } = found;
      return reply.error('method_not_allowed', `This path answers ${allow}.`, { allow });
    }
    const { route, params } = found;
    if (route.access !== 'public' && !allows(identity, route.access)) {
      return reply.error('insufficient_scope', `This needs the scope "${route.access}".`);
    }
    run(route, { request: makeRequest(), reply, identity, params });
  };

  const begin = (asked: Asked) => {
    const who = identify(options.authenticate, asked.head);
    const make = () => requestOf(asked, options.maxPayloadBytes);
    if (!(who instanceof Promise)) return answer(asked, who, make);
    const request = whileVerified(asked, who, make);
    who
      .then((outcome) => {
        if (!asked.reply.aborted) answer(asked, outcome, () => request);
      })
      .catch((err) => {
        options.log.error({ err }, 'a credential could not be verified');
        if (asked.reply.isOpen) asked.reply.error('internal', 'The gateway failed.');
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

  return (raw, head) => {
    const origin = options.checkOrigin(header(head, 'origin'), header(head, 'host'));
    const cors = origin.kind === 'ok' ? origin.cors : undefined;
    const reply = new Reply(raw, head.method === 'HEAD', corsHeaders(cors));
    if (origin.kind === 'refused') reply.error(origin.code, origin.message);
    else if (head.method === 'OPTIONS') reply.empty(204, preflight);
    else begin({ raw, head, reply });
    return { gone: () => reply.gone() };
  };
}

/** Reading begins when this is called; a request without a body has nothing to read. */
function requestOf({ raw, head, reply }: Asked, maxBytes: number): HttpRequest {
  const hasBody = head.method !== 'GET' && head.method !== 'HEAD';
  return makeRequest(head, hasBody ? { raw, reply, maxBytes } : undefined);
}

/**
 * The library drops the start of a body that nobody listens to. So it is read at once, and no more than
 * what came with the head until it is known whose it is.
 */
function whileVerified(asked: Asked, who: Promise<unknown>, make: () => HttpRequest): HttpRequest {
  const { raw, reply } = asked;
  const request = make();
  raw.pause();
  const resume = () => {
    if (!reply.aborted) raw.resume();
  };
  who.then(resume, resume);
  return request;
}

type Asked = { readonly raw: RawResponse; readonly head: RequestHead; readonly reply: Reply };

type RunExchange = {
  readonly request: HttpRequest;
  readonly reply: Reply;
  readonly identity: Identity;
  readonly params: Record<string, string>;
};

function header(head: RequestHead, name: string): string {
  return head.headers.get(name) ?? '';
}

function identify(authenticate: Authenticate, head: RequestHead) {
  return authenticate(
    presentedCredential({
      authorization: header(head, 'authorization'),
      protocols: header(head, 'sec-websocket-protocol'),
      query: new URLSearchParams(head.query),
    }),
  );
}

function refuse(reply: Reply, who: AuthenticateOutcome & { kind: 'refused' }): void {
  const headers: Record<string, string> =
    who.code === 'unavailable' ? {} : { 'www-authenticate': 'Bearer' };
  reply.error(who.code, who.message, headers);
}
