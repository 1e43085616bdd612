import type { HeadReply } from '@sluice/store';
import type { DeadLetterReason } from '../../metrics/index.js';
import type { TurnResult } from './run-turn.js';

export type Ended = TurnResult & { kind: 'ended' };

/** How the started head ends. */
export type Tried = {
  readonly head: HeadReply;
  readonly ended: Ended;
  /** Why the message becomes a dead letter, if it does. */
  readonly deadLetter?: DeadLetterReason;
};

/** An outcome without a call of the agent. */
export function without(status: Ended['status'], reason: string): Ended {
  return { kind: 'ended', status, reason, content: '', usage: '', trailing: [] };
}
