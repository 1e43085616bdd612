import { makeId } from '@sluice/runtime';
import type { SessionRef, Sessions } from '@sluice/store';
import { z } from 'zod';
import type { HttpReply } from '../network/transport.js';
import type { EdgeContext } from '../session/context.js';
import { noSuchSession } from './guards.js';

export const endedAnswer = {
  200: {
    description: 'It has ended',
    schema: z.object({ type: z.literal('session_ended'), session_id: z.string() }),
  },
};

type By = Omit<Parameters<Sessions['end']>[1], 'callId'>;

/** Ends a session (D9), and answers the request. Returns whether there was one. */
export async function endSession(
  context: EdgeContext,
  reply: HttpReply,
  { ref, by }: { ref: SessionRef; by: By },
): Promise<boolean> {
  const record = await context.sessions.end(ref, { callId: makeId('end'), ...by });
  if (record === undefined) {
    noSuchSession(reply);
    return false;
  }
  context.metrics.sessionEnd(by.reasonCode);
  // The end is recorded already: if this copy fails, the sweep makes it.
  await context.ends
    .copy(record, context.partitionOf(ref))
    .catch((err) => context.log.warn({ err }, 'session end not copied yet'));
  reply.json(200, { type: 'session_ended', session_id: ref.sessionId });
  return true;
}
