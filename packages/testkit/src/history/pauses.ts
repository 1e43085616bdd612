import type { Fault, HandOver, History, Turn } from './records.js';
import { bySession } from './session-log.js';

/** How long sessions stood still, in milliseconds. */
export type Pauses = {
  /**
   * From the death of a node to the next turn of each session that it executed, seen at the agent. Only
   * those during which nothing else was broken.
   */
  readonly takeovers: readonly number[];
  /** Takeovers during which something else was broken too. */
  readonly brokenTakeovers: readonly BrokenTakeover[];
  /** From the last commit or abort on one node to the begin of a turn on the next, by the clock of Redis. */
  readonly handOvers: readonly number[];
  /** The same, seen at the agent: from the end of the last turn on one node to the first on the next. */
  readonly seenHandOvers: readonly number[];
};

export type BrokenTakeover = {
  readonly session: string;
  readonly ms: number;
  /** What else broke, and how many milliseconds after the death. */
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
      // After an answered turn only a message that was waiting already must follow at once.
      const waited = (acceptedAt.get(`${next.session} ${next.messageId}`) ?? 0) < end;
      return turn.closedByPeer || waited ? Math.max(0, next.startMs - end) : undefined;
    }),
  };
}

/** Other faults between a death and the next turn; a drain breaks nothing. */
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
 * Pauses during which nothing was broken but the node that was told to stop. While all nodes, or Redis, go
 * down, nobody could take over.
 */
function undisturbed(handOvers: readonly HandOver[], faults: readonly Fault[]): number[] {
  const others = faults.filter(({ kind }) => kind !== 'drain');
  const isDisturbed = ({ atMs, pauseMs }: HandOver) =>
    others.some(({ startMs, endMs }) => startMs < atMs && endMs > atMs - pauseMs - slackMs);
  return handOvers.filter((one) => !isDisturbed(one)).map(({ pauseMs }) => pauseMs);
}
