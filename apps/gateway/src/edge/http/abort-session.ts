import { type AbortFrame, abortAnswerSchema } from '@sluice/protocol';
import type { SessionRef } from '@sluice/store';
import type { HttpReply } from '../network/transport.js';
import type { EdgeContext } from '../session/context.js';
import { stopMessage } from '../session/stop-message.js';
import { noSuchSession } from './guards.js';

export const abortedShape = abortAnswerSchema;

/** Stops a message of a session, and answers the request. */
export async function abortSession(
  context: EdgeContext,
  reply: HttpReply,
  { ref, frame }: { ref: SessionRef; frame: Omit<AbortFrame, 'type'> },
): Promise<void> {
  const answer = await stopMessage(context, ref, frame);
  if (answer === 'not_found') return noSuchSession(reply);
  reply.json(200, answer);
}
