import type { Fault, HandOver, History, Turn } from './records.js';
import { bySession } from './session-log.js';

/** How long sessions stood still, in milliseconds. */
export type Pauses = {
  /** From the death of the node to the next turn of each session that it executed, seen at the agent. */
  readonly takeovers: readonly number[];
  /** From the last commit or abort here to the begin of a turn there, by the clock of Redis. */
  readonly handOvers: readonly number[];
  /** The same seen at the agent: from the end of the last turn here to the first one there. */
  readonly seenHandOvers: readonly number[];
};

type Step = { readonly turn: Turn; readonly next: Turn };

/** A turn and the one that follows it at the agent, on whichever node. */
function steps(turns: readonly Turn[]): Step[] {
  return [...bySession(turns).values()].flatMap((group) => {
    const sorted = [...group].sort((a, b) => a.startMs - b.startMs);
    return sorted.flatMap((turn, at) => {
      const next = sorted[at + 1];
      return next ? [{ turn, next }] : [];
    });
  });
}

const slackMs = 50;

export function measurePauses(history: History): Pauses {
  const { turns, faults, acknowledged } = history;
  const acceptedAt = new Map(acknowledged.map((it) => [`${it.session} ${it.messageId}`, it.atMs]));
  const pairs = steps(turns);
  const of = (kind: Fault['kind'], measure: (step: Step, fault: Fault) => number | undefined) =>
    faults
      .filter((fault) => fault.kind === kind)
      .flatMap((fault) =>
        pairs.filter(({ turn }) => turn.node === fault.node).map((step) => measure(step, fault)),
      )
      .flatMap((pause) => pause ?? []);

  return {
    takeovers: of('kill', ({ turn, next }, { startMs }) => {
      const end = turn.endMs ?? Number.POSITIVE_INFINITY;
      const wasRunning = turn.startMs <= startMs && end >= startMs - slackMs && turn.closedByPeer;
      return wasRunning ? next.startMs - startMs : undefined;
    }),
    handOvers: undisturbed(history.handOvers, faults),
    seenHandOvers: of('drain', ({ turn, next }, { startMs, endMs }) => {
      const end = turn.endMs;
      if (end === null || end < startMs || turn.startMs > endMs || next.node === turn.node) {
        return undefined;
      }
      // An answered turn is followed at once only by what was waiting when it ended.
      const waited = (acceptedAt.get(`${next.session} ${next.messageId}`) ?? 0) < end;
      return turn.closedByPeer || waited ? Math.max(0, next.startMs - end) : undefined;
    }),
  };
}

/**
 * Pauses during which nothing was broken but the node that was told to stop: with all nodes going down,
 * or Redis, there is nobody to hand over to.
 */
function undisturbed(told: readonly HandOver[], faults: readonly Fault[]): number[] {
  const others = faults.filter(({ kind }) => kind !== 'drain');
  const isDisturbed = ({ atMs, pauseMs }: HandOver) =>
    others.some(({ startMs, endMs }) => startMs < atMs && endMs > atMs - pauseMs - slackMs);
  return told.filter((one) => !isDisturbed(one)).map(({ pauseMs }) => pauseMs);
}
