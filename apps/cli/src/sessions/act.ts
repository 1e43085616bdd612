import { exitStatus } from '@sluice/runtime';
import { textOf } from '../api/frame.js';
import { ask, type Gateway } from '../api/gateway.js';
import { writeLines } from '../output/write.js';

const said = {
  aborted: 'is told to stop its turn',
  no_active_turn: 'has no turn to stop',
  session_ended: 'has ended',
  session_paused: 'is paused; messages wait',
  session_resumed: 'goes on',
} as const;

export type Act = 'abort' | 'end' | 'pause' | 'resume';

type Request = {
  readonly act: Act;
  readonly id: string;
  readonly principal?: string | undefined;
  /** The message that an abort stops; default: the head. */
  readonly message?: string | undefined;
};

/** Carries out the act and prints the result; returns the exit status, 1 when `message` could not be stopped. */
export async function actOn(
  gateway: Gateway,
  { act, id, principal, message }: Request,
): Promise<number> {
  const path = `/v1/sessions/${encodeURIComponent(id)}/${act}`;
  const answer = await ask(gateway, {
    method: 'POST',
    path,
    query: { principal },
    ...(message === undefined ? {} : { body: { message_id: message } }),
  });
  const type = textOf(answer, 'type');
  if (message !== undefined) {
    const isStopped = type === 'aborted';
    const why = answer.reason === 'ended' ? 'has ended already' : 'is not known';
    await writeLines([
      `${id} ${isStopped ? `stops ${message}` : `stops nothing: ${message} ${why}`}`,
    ]);
    return isStopped ? exitStatus.ok : exitStatus.refused;
  }
  const text = Object.entries(said).find(([name]) => name === type)?.[1] ?? type;
  const isHeldUp = act === 'resume' && answer.paused === true;
  await writeLines([`${id} ${isHeldUp ? 'waits for its agent, which is paused' : text}`]);
  return exitStatus.ok;
}
