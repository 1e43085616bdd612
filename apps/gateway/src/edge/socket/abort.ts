import type { AbortFrame } from '@sluice/protocol';
import type { EdgeContext } from '../session/context.js';
import { stopMessage } from '../session/stop-message.js';
import type { Attached, Connection } from './connection.js';

/** Answers an abort on a socket. An outcome that it causes at once is sent after the answer. */
export async function abortOnSocket(
  context: EdgeContext,
  { outbound }: Connection,
  { state, frame }: { state: Attached; frame: AbortFrame },
): Promise<void> {
  const { ref, reader } = state;
  reader.holdAborted();
  try {
    const answer = await stopMessage(context, ref, frame);
    const { abort_id } = frame;
    const call = abort_id === undefined ? {} : { abort_id };
    const nothing = { type: 'no_active_turn', session_id: ref.sessionId, ...call } as const;
    outbound.json(answer === 'not_found' ? nothing : answer);
  } finally {
    reader.handAborted();
  }
}
