import type { AttachAnswer, AttachRequest } from '@sluice/store';
import type { EdgeContext } from './context.js';

/** `rate_limited`: there is no such session, and none may be made now. */
export type EnterReply =
  | AttachAnswer
  | { readonly kind: 'rate_limited'; readonly retryAfterMs: number; readonly why: string };

/** A principal with too many sessions must end one first, which takes a person some time. */
const FULL_RETRY_MS = 60_000;

/**
 * Attaches to a session and makes it when there is none, within the limits of its principal. A session that the
 * client names is looked up first, so that coming back costs no token and only one call.
 */
export async function enterSession(
  context: EdgeContext,
  request: AttachRequest,
  { isNamed }: { isNamed: boolean },
): Promise<EnterReply> {
  const { sessions, rates, limits } = context;
  if (!request.create) return await sessions.attach(request);
  if (isNamed) {
    const found = await sessions.attach({ ...request, create: false });
    if (found.kind !== 'not_found') return found;
  }
  const admitted = await rates.session(request.principal);
  if (admitted.kind === 'refused') {
    const why = 'too many new sessions (gateway.rate_limit.sessions_per_minute)';
    return { kind: 'rate_limited', retryAfterMs: admitted.retryAfterMs, why };
  }
  const most = limits.maxSessionsPerPrincipal;
  if (most > 0 && (await sessions.countOf(request.principal, most)) >= most) {
    const why = 'too many sessions (session.max_sessions_per_principal); end one';
    return { kind: 'rate_limited', retryAfterMs: FULL_RETRY_MS, why };
  }
  return await sessions.attach(request);
}
