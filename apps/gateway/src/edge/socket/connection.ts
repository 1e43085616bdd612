import type { ClientFrame } from '@sluice/protocol';
import { monotonicMs } from '@sluice/runtime';
import type { SessionRef } from '@sluice/store';
import type { Feed } from '../delivery/feed.js';
import type { FrameSession } from '../delivery/frames.js';
import type { MarkPart } from '../delivery/marks.js';
import type { Outbound } from '../delivery/outbound.js';
import type { SocketReader } from '../delivery/socket-reader.js';
import type { Socket } from '../network/transport.js';

/** A connection bound to a session. */
export type Attached = {
  readonly kind: 'attached';
  readonly ref: SessionRef;
  readonly session: FrameSession;
  readonly reader: SocketReader;
  readonly feed: Feed;
  /** Its part in the session's resume mark; undefined: the client tracks a cursor. */
  readonly mark: MarkPart | undefined;
};

/** A frame and the characters that it came in. */
export type ReadFrame = { readonly frame: ClientFrame; readonly chars: number };

/**
 * State of one socket.
 *
 *     idle -> attaching -> attached -> idle (leave) | ended (the session) | attaching (hello again)
 *     ended -> attaching                                    any -> closed
 */
export type ConnectionState =
  | { readonly kind: 'idle' }
  /** Frames that arrive meanwhile wait, in order; `chars`: of all of them. */
  | { readonly kind: 'attaching'; readonly waiting: ReadFrame[]; chars: number }
  | Attached
  /** The session was ended (D9); another hello starts anew. */
  | { readonly kind: 'ended' }
  | { readonly kind: 'closed' };

/** One WebSocket and what it is bound to. */
export type Connection = {
  readonly socket: Socket;
  readonly outbound: Outbound;
  state: ConnectionState;
  /** Calls to Redis for this connection's frames, one after the other. */
  readonly calls: { last: Promise<void>; waiting: number; chars: number };
  /** Frames that wait until all earlier ones are answered; undefined: none waits. */
  settling: { readonly waiting: ReadFrame[]; chars: number } | undefined;
  /** Most characters of frames that wait, for instance while Redis is silent. */
  readonly waitingCharsMax: number;
  readonly openedMs: number;
  /** It was attached to a session once. */
  hasEntered: boolean;
  /** Bad or unauthorized frames since the last good one (X4). */
  offences: number;
  /** Logs a failure of ours, for which the client got `internal`. */
  onBug(error: unknown): void;
};

export function makeConnection(
  socket: Socket,
  outbound: Outbound,
  options: Pick<Connection, 'onBug' | 'waitingCharsMax'>,
): Connection {
  return {
    socket,
    outbound,
    state: { kind: 'idle' },
    calls: { last: Promise.resolve(), waiting: 0, chars: 0 },
    settling: undefined,
    openedMs: monotonicMs(),
    hasEntered: false,
    offences: 0,
    ...options,
  };
}
