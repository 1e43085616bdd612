import { checkHistory, type History, measurePauses } from '@sluice/testkit';

export type Seen = {
  readonly history: History;
  /** Number of messages in the conversation. */
  readonly messages: number;
  /** Statuses of the nodes that were told to stop. */
  readonly exits: readonly (number | null)[];
};

export type Judgement = {
  /** Lines of the summary. */
  readonly rows: readonly (readonly [name: string, value: string])[];
  /** Why this run has failed; empty: it has not. */
  readonly faults: readonly string[];
};

/** Limit of D5, by the clock of Redis. */
const handOverMsMax = 1_000;
/** Limit of C1, on top of the TTL of the lease. */
const takeoverMsMax = 2_000;

const slowest = (pauses: readonly number[]) =>
  pauses.length === 0 ? '-' : `${Math.round(Math.max(...pauses))} ms`;

const slow = (what: string, pauses: readonly number[], maxMs: number) =>
  pauses.filter((ms) => ms > maxMs).map((ms) => `slow: a ${what} took ${Math.round(ms)} ms`);

/** Counts and checks what the client saw. Reads nothing but its argument. */
export function judge({ history, messages, exits }: Seen): Judgement {
  const { findings, totals } = checkHistory(history);
  const { handOvers, takeovers } = measurePauses(history);
  const events = history.views.flatMap(({ frames }) =>
    frames.flatMap((frame) => (frame.kind === 'event' ? [frame] : [])),
  );
  const finals = events.filter(({ status }) => status === 'final');
  const outcomes = new Set(finals.map(({ messageId }) => messageId)).size;
  const restarts = events.filter(({ type }) => type === 'retry_stream').length;

  const faults = [
    ...findings.map(({ kind, detail }) => `${kind}: ${detail}`),
    ...finals
      .filter(({ outcome }) => outcome !== 'ok')
      .map(({ messageId, outcome }) => `outcome: ${messageId} is ${outcome}`),
    ...exits.filter((code) => code !== 0).map((code) => `exit: a node ended with status ${code}`),
    ...slow('hand-over', handOvers, handOverMsMax),
    ...slow('takeover', takeovers, history.leaseTtlMs + takeoverMsMax),
    ...(totals.messages === messages
      ? []
      : [`void: ${totals.messages} messages were acknowledged, not ${messages}`]),
    ...(takeovers.length > 0 ? [] : ['void: no takeover was seen']),
    ...(handOvers.length > 0 ? [] : ['void: no hand-over was seen']),
    ...(restarts > 0 ? [] : ['void: no reply was cut off and started again']),
  ];
  const rows = [
    ['messages acknowledged', String(totals.messages)],
    ['outcomes', String(outcomes)],
    ['lost', String(totals.lost)],
    ['doubled', String(totals.doubled)],
    ['reordered', String(totals.reordered)],
    ['overlapping turns', String(totals.overlaps)],
    ['slowest hand-over', slowest(handOvers)],
    ['takeover', slowest(takeovers)],
  ] as const;
  return { rows, faults };
}
