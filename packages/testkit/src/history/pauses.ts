import type { Fault, HandOver, History, Turn } from './records.js';
import { bySession } from './session-log.js';

/** How long sessions stood still, in milliseconds. */
export type Pauses = {
  /**
   * From the death of the node to the next turn of each session that it executed, seen at the agent, while
   * nothing but this node was broken.
   */
  readonly takeovers: readonly number[];
  /** Those during which something else broke too. */
  readonly brokenTakeovers: readonly BrokenTakeover[];
  /** From the last commit or abort here to the begin of a turn there, by the clock of Redis. */
  readonly handOvers: readonly number[];
  /** The same seen at the agent: from the end of the last turn here to the first one there. */
  readonly seenHandOvers: readonly number[];
};

export type BrokenTakeover = {
  readonly session: string;
  readonly ms: number;
  /** What broke, and how long after the death. */
  readonly through: readonly string[];
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
  const of = <T>(kind: Fault['kind'], measure: (step: Step, fault: Fault) => T | undefined) =>
    faults
      .filter((fault) => fault.kind === kind)
      .flatMap((fault) =>
        pairs.filter(({ turn }) => turn.node === fault.node).map((step) => measure(step, fault)),
      )
      .flatMap((pause) => pause ?? []);

  const takeovers = of('kill', ({ turn, next }, fault) => {
    const { startMs } = fault;
    const end = turn.endMs ?? Number.POSITIVE_INFINITY;
    const wasRunning = turn.startMs <= startMs && end >= startMs - slackMs && turn.closedByPeer;
    if (!wasRunning) return undefined;
    const through = othersDuring(faults, fault, next.startMs).map(
      ({ kind, node, startMs: at }) => `${kind} of ${node ?? 'all'} at ${Math.round(at - startMs)}`,
    );
    return { session: turn.session, ms: next.startMs - startMs, through };
  });
  return {
    takeovers: takeovers.filter(({ through }) => through.length === 0).map(({ ms }) => ms),
    brokenTakeovers: takeovers.filter(({ through }) => through.length > 0),
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

/** What else was broken between a death and the turn that follows it; a node that drains breaks nothing. */
function othersDuring(faults: readonly Fault[], death: Fault, untilMs: number): Fault[] {
  return faults.filter(
    (other) =>
      other !== death &&
      other.kind !== 'drain' &&
      other.startMs < untilMs &&
      other.endMs > death.startMs,
  );
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
