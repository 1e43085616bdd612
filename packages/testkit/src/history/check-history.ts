import { checkOrder, checkOutcomes } from './check-outcomes.js';
import { checkSessionEnds } from './check-session-ends.js';
import { checkTurns } from './check-turns.js';
import { checkStreams, checkViews } from './check-views.js';
import type { Finding, FindingKind, History } from './records.js';
import { bySession, joinViews, type SessionLog } from './session-log.js';

export type Verdict = {
  readonly findings: readonly Finding[];
  readonly totals: {
    /** Acknowledged ones, each counted once. */
    readonly messages: number;
    readonly lost: number;
    readonly doubled: number;
    readonly reordered: number;
    readonly overlaps: number;
  };
};

/** Returns what is wrong with a history, and what was counted in it. Reads nothing but its argument. */
export function checkHistory(history: History): Verdict {
  const { sent, acknowledged, views, turns, faults, leaseTtlMs } = history;
  const { logs, findings: conflicts } = joinViews(views, faults);
  const sentBy = bySession(sent);
  const acknowledgedBy = bySession(acknowledged);
  const messagesOf = (session: string) => ({
    sent: sentBy.get(session) ?? [],
    acknowledged: acknowledgedBy.get(session) ?? [],
  });
  const empty = [...acknowledgedBy.keys()]
    .filter((session) => !logs.some((log) => log.session === session))
    .map((session): SessionLog => ({ session, events: new Map() }));

  const findings = [
    ...conflicts,
    ...[...logs, ...empty].flatMap((log) => [
      ...checkOutcomes(log, messagesOf(log.session)),
      ...checkOrder(log, messagesOf(log.session)),
    ]),
    ...checkViews(views),
    ...checkStreams(views),
    ...checkTurns(turns, { faults, leaseTtlMs }),
    ...checkSessionEnds(history),
  ];
  const count = (kind: FindingKind) => findings.filter((one) => one.kind === kind).length;
  return {
    findings,
    totals: {
      messages: new Set(acknowledged.map((it) => `${it.session} ${it.messageId}`)).size,
      lost: count('lost'),
      doubled: count('doubled'),
      reordered: count('reordered'),
      overlaps: count('overlap'),
    },
  };
}
