import type { ErrorCode } from '@sluice/protocol';
import { DamagedKey, StoreBusy, StoreUnavailable, whyUnavailable } from '@sluice/store';
import { errorFrame } from '../delivery/frames.js';
import type { Connection } from './connection.js';

/** Most frames of one connection that wait, for an attach or for the frames before them. */
const WAITING_MAX = 1_000;
/** How long an acceptance may take to reach the socket once its message is stored. */
const ACK_LIMIT_MS = 2_000;

/** Whether a frame may wait after others; the first one always may. `more`: its characters. */
export function mayWait(
  { waitingCharsMax }: Connection,
  { frames, chars }: { frames: number; chars: number },
  more: number,
): boolean {
  return frames === 0 || (frames < WAITING_MAX && chars + more <= waitingCharsMax);
}

const DAMAGED =
  'the data of this session is damaged: its operator finds the key in the log of the gateway';

/** What a call is made for. */
type About = {
  /** The message that it stores; errors name it. */
  readonly messageId?: string | undefined;
  /** Characters of the frame, where it may be a long one. */
  readonly chars?: number;
  onError?(code: ErrorCode): void;
};

/**
 * Makes one call after the other, in the order of the frames. A call whose script must be loaded, or whose reply
 * was lost, is sent again: without this the next call would overtake it (T1).
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

/** Sends the error of a call that fails: what to do while Redis is away, else `internal`, which is a bug of ours. */
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
export function owesAnswers({ calls, state }: Connection): boolean {
  return calls.waiting > 0 || (state.kind === 'attached' && state.reader.owesAck);
}

/** Resolves after the answers to all earlier frames, so that a client which sends and leaves gets both answers. */
export async function settled({ calls, state }: Connection): Promise<void> {
  await calls.last;
  if (state.kind === 'attached') await state.reader.allAcked(ACK_LIMIT_MS);
}
