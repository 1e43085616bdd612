import { checked, firstIssue, sessionIdSchema } from '@sluice/protocol';
import type { SessionRef } from '@sluice/store';
import type { Exchange, HttpReply } from '../network/transport.js';
import type { EdgeContext } from '../session/context.js';

/** The same for an id that never existed and for one of another principal (X2). */
export const noSuchSession = (reply: HttpReply) =>
  reply.error('session_not_found', 'no such session');

/**
 * The session that the path names, in the namespace of the caller or of whom `?principal=` names (then
 * with a line in the log); undefined after the error was sent. `action` is what the log calls that.
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

/** What would only begin now belongs on another node: true after the error was sent. */
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

/** What an operator did, for whoever asks later; never what a message says (X6). */
export function logAct({ log }: EdgeContext, { identity }: Exchange, act: Act): void {
  log.info({ principal: identity.principal, ...act }, 'admin act');
}
