import { checked, firstIssue, sessionIdSchema } from '@sluice/protocol';
import type { SessionRef } from '@sluice/store';
import type { Exchange, HttpReply } from '../network/transport.js';
import type { EdgeContext } from '../session/context.js';

/** Answers the same for an id that never existed and for one of another principal (X2). */
export const noSuchSession = (reply: HttpReply) =>
  reply.error('session_not_found', 'no such session');

/**
 * The session that the path names, of the caller or of the principal `of`. For another one the access is logged, as
 * `action`. undefined: the error was sent.
 */
export function sessionOf(
  context: EdgeContext,
  exchange: Exchange,
  { action, of }: { action: string; of: string | undefined },
): SessionRef | undefined {
  const { params, identity, reply } = exchange;
  const sessionId = checked(sessionIdSchema, params.id);
  if (!sessionId.success) {
    reply.error('invalid_frame', `the session id ${firstIssue(sessionId.error).message}`);
    return undefined;
  }
  if (of !== undefined) logAct(context, exchange, { action, target: sessionId.data, of });
  return { principal: of ?? identity.principal, sessionId: sessionId.data };
}

/** A draining node begins nothing new. True: the error was sent. */
export function refusesToBegin(context: EdgeContext, reply: HttpReply): boolean {
  if (!context.isDraining()) return false;
  reply.error('draining', 'this node is stopping; come again, another one answers');
  return true;
}

type Act = {
  readonly action: string;
  readonly target: string;
  /** The principal whose session the target is. */
  readonly of?: string;
  readonly outcome?: string;
};

/** Logs what an operator did, and never what a message says (X6). */
export function logAct({ log }: EdgeContext, { identity }: Exchange, act: Act): void {
  log.info({ principal: identity.principal, ...act }, 'admin act');
}
