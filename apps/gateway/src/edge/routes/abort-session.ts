import type { SessionRef } from '@sluice/store';
import { z } from 'zod';
import type { EdgeContext } from '../context.js';
import type { HttpReply } from '../transport.js';
import { noSuchSession } from './guards.js';

export const abortedShape = z.object({
  type: z.enum(['aborted', 'no_active_turn']),
  session_id: z.string(),
});

/** Stops the running turn of a session and answers. */
export async function abortSession(
  context: EdgeContext,
  reply: HttpReply,
  ref: SessionRef,
): Promise<void> {
  const word = await context.inbox.abort(ref, 'user');
  if (word === 'not_found') return noSuchSession(reply);
  const type = word === 'aborting' ? 'aborted' : 'no_active_turn';
  reply.json(200, { type, session_id: ref.sessionId });
}
