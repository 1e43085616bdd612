import { InvariantError } from '@sluice/runtime';
import type { ReplyReader } from './reply.js';

/** Parts of replies that several scripts share. */

/** Throws InvariantError: no such word is promised. */
export function unexpected(word: string): never {
  throw new InvariantError(`unexpected reply ${word}`);
}

/** The started head as a holder needs it. */
export type HeadReply = {
  readonly fence: number;
  readonly turnId: string;
  readonly attempt: number;
  /** Reason of an abort that was promised for this head; '' when there is none. */
  readonly abort: string;
  readonly agent: string;
  readonly principal: string;
  readonly sessionId: string;
  /** How long, in ms, a session that was handed over stood still; NaN: it was not handed over. */
  readonly pauseMs: number;
  /** Its last holder never released it. */
  readonly isTakenOver: boolean;
  /** This attempt is the last one, and runs in a process of its own (T4). */
  readonly isAlone: boolean;
  /** The drain deadline of its last holder aborted the turn that this one repeats. */
  readonly isCut: boolean;
  /** When its first attempt began, in ms of Redis time; NaN: this is a later attempt. */
  readonly firstAtMs: number;
  /** The turn that was committed last; '' when there is none. */
  readonly lastTurn: string;
  readonly entries: readonly string[];
};

export function head(reply: ReplyReader): HeadReply {
  const texts = reply.texts();
  const [fence, turnId, attempt, abort, , , , agent, principal, sessionId, ...times] = texts;
  const [pause, firstAt, cut, lastTurn] = times;
  return {
    fence: Number(fence),
    turnId: turnId ?? '',
    attempt: Number(attempt),
    abort: abort ?? '',
    agent: agent ?? '',
    principal: principal ?? '',
    sessionId: sessionId ?? '',
    pauseMs: pause ? Number(pause) : Number.NaN, // `lost` gives NaN too
    isTakenOver: pause === 'lost',
    isCut: cut === '1',
    isAlone: false,
    firstAtMs: firstAt ? Number(firstAt) : Number.NaN,
    lastTurn: lastTurn ?? '',
    entries: reply.texts(),
  };
}

export type Fenced = { readonly kind: 'fenced' };

export const fenced: Fenced = { kind: 'fenced' };

export type FullReply = { readonly kind: 'full'; readonly limit: string };

export type AcceptedReply = {
  readonly kind: 'accepted';
  readonly epoch: string;
  readonly seq: number;
  readonly atMs: number;
  readonly position: number;
  /** Number of the ring to add; '' when none is due. */
  readonly ring: string;
  /** The session or its agent is paused: the message waits for that to end. */
  readonly isPaused: boolean;
  /** The log has the text of the message. */
  readonly isLogged: boolean;
  /** What a peek would find; undefined: the ring is not for the first attempt in a session that nobody holds. */
  readonly free: { readonly fence: number; readonly agent: string } | undefined;
};

export function accepted(reply: ReplyReader): AcceptedReply {
  return {
    kind: 'accepted',
    epoch: reply.text(),
    seq: reply.int(),
    atMs: reply.int(),
    position: reply.int(),
    ring: reply.text(),
    isPaused: reply.flag(),
    isLogged: reply.flag(),
    free: free(reply),
  };
}

function free(reply: ReplyReader): AcceptedReply['free'] {
  const [fence, agent] = [reply.text(), reply.text()];
  return fence === '' ? undefined : { fence: Number(fence), agent };
}
