import { type Frame, isFrame, numberOf, objectOf, textOf } from '../api/frame.js';
import { ageOf, lasting } from '../output/age.js';

/** What `sluice sessions show` prints about a session. */
export type Facts = {
  readonly id: string;
  readonly agentId: string;
  readonly isExecuting: boolean;
  /** The session or its agent is paused. */
  readonly isPaused: boolean;
  readonly holder: string;
  readonly fence: number;
  readonly attempt: number;
  readonly pending: number;
  readonly cursor: number;
  readonly epoch: string;
  readonly createdAt: number;
  readonly lastActivity: number;
  /** '' until a turn has ended; undefined: not shown to this credential. */
  readonly lastOutcome: string | undefined;
  readonly lastTurnAt: number;
  /** Only operators get it. */
  readonly work: Work | undefined;
};

export type Work = {
  readonly principal: string;
  readonly leaseLeftMs: number;
  readonly oldestMessageId: string;
  /** Seconds since 1970; 0: nothing waits. */
  readonly oldestAcceptedAt: number;
  readonly handOvers: number;
  /** Reason of the abort that was requested for the running turn; '' when there is none. */
  readonly abort: string;
  readonly isRung: boolean;
};

export function factsOf(session: Frame): Facts {
  const messages = Array.isArray(session.messages) ? session.messages.filter(isFrame) : [];
  const last = messages.filter((message) => textOf(message, 'role') === 'assistant').at(-1) ?? {};
  return {
    id: textOf(session, 'session_id'),
    agentId: textOf(session, 'agent_id'),
    isExecuting: session.is_executing === true,
    isPaused: session.paused === true,
    holder: textOf(session, 'holder'),
    fence: numberOf(session, 'fence'),
    attempt: numberOf(session, 'attempt'),
    pending: Array.isArray(session.pending_message_ids) ? session.pending_message_ids.length : 0,
    cursor: numberOf(session, 'event_cursor'),
    epoch: textOf(session, 'epoch'),
    createdAt: numberOf(session, 'created_at'),
    lastActivity: numberOf(session, 'last_activity'),
    lastOutcome: Array.isArray(session.messages) ? outcomeOf(last) : undefined,
    lastTurnAt: numberOf(last, 'timestamp'),
    work: isFrame(session.work) ? workOf(session.work) : undefined,
  };
}

function outcomeOf(message: Frame): string {
  const outcome = objectOf(message, 'outcome');
  const reason = textOf(outcome, 'reason');
  return textOf(outcome, 'status') + (reason ? ` (${reason})` : '');
}

const workOf = (work: Frame): Work => ({
  principal: textOf(work, 'principal'),
  leaseLeftMs: numberOf(work, 'lease_left_ms'),
  oldestMessageId: textOf(work, 'oldest_message_id'),
  oldestAcceptedAt: numberOf(work, 'oldest_accepted_at'),
  handOvers: numberOf(work, 'hand_overs'),
  abort: textOf(work, 'abort'),
  isRung: work.rung === true,
});

/** Facts that are not part of the session. */
export type Around = {
  /** Live workers that have its agent; undefined: not known. */
  readonly workers: number | undefined;
  readonly nowMs: number;
};

export function linesOf(facts: Facts, around: Around): string[] {
  const { work, nowMs } = { ...facts, ...around };
  const ago = (at: number) => `${ageOf(at, nowMs)} ago`;
  const ofWhom = work ? ` of ${work.principal}` : '';
  const oldest = work?.oldestAcceptedAt
    ? `, the oldest accepted ${ago(work.oldestAcceptedAt)} (${work.oldestMessageId})`
    : '';
  const left = work ? `, lease for another ${(work.leaseLeftMs / 1_000).toFixed(1)} s` : '';
  const handOvers = work?.handOvers ? `, ${work.handOvers} aborted by hand-overs` : '';
  const rows: [string, string][] = [
    ['session', `${facts.id}${ofWhom}, agent ${facts.agentId}`],
    ['state', stateOf(facts, around) + (facts.isPaused ? PAUSED : '')],
    ['holder', facts.holder ? `${facts.holder}${left}` : 'none'],
    ['fence', String(facts.fence)],
    ['attempt', facts.attempt ? `${facts.attempt}${handOvers}` : '-'],
    ['waiting', `${facts.pending}${oldest}`],
    ['last turn', lastTurnOf(facts, ago)],
    ['last used', `${ago(facts.lastActivity)}, created ${ago(facts.createdAt)}`],
    ['log', `cursor ${facts.cursor}, epoch ${facts.epoch}`],
  ];
  return rows.map(([name, text]) => `${name.padEnd(10)} ${text}`);
}

function lastTurnOf({ lastOutcome, lastTurnAt }: Facts, ago: (at: number) => string): string {
  if (lastOutcome === undefined) return 'not shown to scope operate';
  return lastOutcome === '' ? '-' : `${lastOutcome}, ${ago(lastTurnAt)}`;
}

/** Follows the state: the running turn finishes, and no other begins. */
const PAUSED = '; paused, or its agent is: sluice sessions resume, sluice agents list';

/** What a session does, or why it stands still. */
function stateOf(facts: Facts, { workers, nowMs }: Around): string {
  const { isExecuting, holder, pending, work } = facts;
  if (isExecuting && work?.abort) return `executing, and told to stop (${work.abort})`;
  if (isExecuting) return 'executing';
  if (facts.isPaused && pending > 0) return 'pending';
  if (pending === 0) return holder ? 'idle, its holder waits for the next message' : 'idle';
  if (workers === 0) return `pending: no live worker has the agent ${facts.agentId}`;
  if (holder) return 'pending: its holder is about to begin the next turn';
  const waited = work?.oldestAcceptedAt ? nowMs / 1_000 - work.oldestAcceptedAt : 0;
  const rung = work?.isRung ? ', rung for' : '';
  return `pending: for ${lasting(waited)} no worker has taken it${rung}; see sluice nodes`;
}
