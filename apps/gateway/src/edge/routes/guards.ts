import { sessionIdSchema } from '@sluice/protocol';
import { type SessionRef, StoreUnavailable } from '@sluice/store';
import { allows } from '../authenticate.js';
import type { EdgeContext } from '../context.js';
import type { Exchange, HttpReply, Route } from '../transport.js';

type Run = (exchange: Exchange) => void | Promise<void>;

/** Redis away is an answer, not a failure of the gateway (C3). */
export const fromStore = (run: Run) => async (exchange: Exchange) => {
  try {
    await run(exchange);
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error;
    exchange.reply.error('unavailable', 'Redis does not answer; try again');
  }
};

/** The same for an id that never existed and for one of another principal (X2). */
export const noSuchSession = (reply: HttpReply) =>
  reply.error('session_not_found', 'no such session');

/**
 * Runs with the session that the path names, in the namespace of the caller or, for scope `admin`, of
 * whom `?principal=` names; `action` is what the log calls that.
 */
export function onSession(
  context: EdgeContext,
  action: string,
  run: (exchange: Exchange, ref: SessionRef) => Promise<void>,
): Route['run'] {
  return fromStore(async (exchange) => {
    const { params, identity, reply, request } = exchange;
    const named = request.query.get('principal');
    if (named !== null && !allows(identity, 'admin')) {
      return reply.error('insufficient_scope', '?principal= needs the scope "admin".');
    }
    const sessionId = sessionIdSchema.safeParse(params.id);
    if (!sessionId.success) return noSuchSession(reply);
    const principal = named ?? identity.principal;
    if (named !== null) logAct(context, exchange, { action, target: sessionId.data, of: named });
    await run(exchange, { principal, sessionId: sessionId.data });
  });
}

/** What would only begin now belongs on another node. */
export const unlessDraining = (context: EdgeContext, run: Run) => (exchange: Exchange) =>
  context.isDraining()
    ? exchange.reply.error('draining', 'this node is stopping; come again, another one answers')
    : run(exchange);

type Act = {
  readonly action: string;
  readonly target: string;
  /** The principal whose session the target is. */
  readonly of?: string;
  readonly outcome?: string;
};

/** What an operator did, for whoever asks later; never what a message says (X6). */
export function logAct({ log }: EdgeContext, { identity }: Exchange, act: Act): void {
  log.info({ principal: identity.principal, ...act }, 'admin act');
}

const PAGE_DEFAULT = 20;
const PAGE_MAX = 100;

/** `?limit=`, or undefined after the error was sent. */
export function pageSize({ request, reply }: Exchange): number | undefined {
  const count = Number(request.query.get('limit') ?? PAGE_DEFAULT);
  if (Number.isInteger(count) && count >= 1 && count <= PAGE_MAX) return count;
  reply.error('invalid_frame', `limit must be a whole number from 1 to ${PAGE_MAX}`);
  return undefined;
}
