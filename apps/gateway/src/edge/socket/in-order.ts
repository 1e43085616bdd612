import type { ErrorCode } from '@sluice/protocol';
import { DamagedKey, StoreBusy, StoreUnavailable, whyUnavailable } from '@sluice/store';
import { errorFrame } from '../delivery/frames.js';
import type { Connection } from './connection.js';

/** Frames of one connection that may wait, for an attach or for the ones before them. */
const WAITING_MAX = 1_000;
/** How long an acceptance may take to reach the socket once its message is stored. */
const TOLD_LIMIT_MS = 2_000;

/** Whether a frame may wait behind others; one that is alone always may. */
export function mayWait(
  { waitingCharsMax }: Connection,
  { frames, chars }: { frames: number; chars: number },
  more: number,
): boolean {
  return frames === 0 || (frames < WAITING_MAX && chars + more <= waitingCharsMax);
}

const DAMAGED =
  'the data of this session is damaged: its operator finds the key in the log of the gateway';

/** What a call is made for: the message that it stores, and who is told when it cannot be made. */
type About = {
  readonly messageId?: string | undefined;
  /** Of the frame, where it may be a long one. */
  readonly chars?: number;
  onError?(code: ErrorCode): void;
};

/**
 * One call after the other, in the order of the frames: a call whose script must be loaded, or whose
 * reply was lost, is sent again, and would else be overtaken by the next (T1).
 */
export function inOrder(
  connection: Connection,
  call: () => Promise<unknown>,
  about: About = {},
): void {
  const { calls } = connection;
  const { chars = 0 } = about;
  if (!mayWait(connection, { frames: calls.waiting, chars: calls.chars }, chars)) {
    const text = `${calls.waiting} frames of this connection wait already; wait for their answers`;
    about.onError?.('rate_limited');
    connection.outbound.json(errorFrame('rate_limited', text, about));
    return;
  }
  const called = calls.waiting === 0 ? call() : calls.last.then(call);
  calls.waiting++;
  calls.chars += chars;
  const done = () => {
    calls.waiting--;
    calls.chars -= chars;
  };
  calls.last = called.then(done, done);
  answer(connection, called, about);
}

/** What fails for lack of Redis is told to the client; anything else is a bug of ours. */
export function answer(connection: Connection, work: Promise<unknown>, about: About = {}): void {
  work.catch((error) => {
    if (connection.state.kind === 'attaching') connection.state = { kind: 'idle' };
    if (error instanceof StoreBusy) {
      const { retryAfterMs } = error;
      about.onError?.('rate_limited');
      const busy = errorFrame('rate_limited', whyUnavailable(error), { ...about, retryAfterMs });
      return void connection.outbound.json(busy);
    }
    const away = error instanceof StoreUnavailable;
    const text = away ? `${whyUnavailable(error)}; send it again with the same message_id` : '';
    const code = away ? 'unavailable' : 'internal';
    const bug = error instanceof DamagedKey ? DAMAGED : 'internal error';
    about.onError?.(code);
    connection.outbound.json(errorFrame(code, away ? text : bug, about));
    if (!away) connection.onBug(error);
  });
}

/** Whether an answer to a frame of this connection is still to come. */
export function isOwed({ calls, state }: Connection): boolean {
  return calls.waiting > 0 || (state.kind === 'attached' && state.reader.owes);
}

/** Resolves behind the answers to the frames before: who sends and leaves at once is told of both. */
export async function settled({ calls, state }: Connection): Promise<void> {
  await calls.last;
  if (state.kind === 'attached') await state.reader.allTold(TOLD_LIMIT_MS);
}
