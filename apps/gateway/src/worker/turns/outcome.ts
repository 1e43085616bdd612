import type { DeadLetterReason } from '@sluice/runtime';
import type { HeadReply } from '@sluice/store';
import type { TurnResult } from './run-turn.js';

export type Ended = TurnResult & { kind: 'ended' };

/** How the started head ends. */
export type Tried = {
  readonly head: HeadReply;
  readonly ended: Ended;
  /** Why there was no attempt left, if there was none. */
  readonly deadLetter?: DeadLetterReason;
};

/** An outcome that no agent was asked for. */
export function without(status: Ended['status'], reason: string): Ended {
  return { kind: 'ended', status, reason, content: '', usage: '', trailing: [] };
}
