import type { EventFrame, Fault, Finding, View } from './records.js';

/** The log of a session, as all of its connections together saw it. */
export type SessionLog = {
  readonly session: string;
  /** By seq. */
  readonly events: ReadonlyMap<number, EventFrame>;
};

type Seen = { readonly event: EventFrame; readonly epoch: string };

/** Epochs are microseconds in decimal. */
const isLater = (a: string, b: string) => (a.length === b.length ? a > b : a.length > b.length);

const identity = ({ type, status, messageId, turnId, outcome, text }: EventFrame) =>
  JSON.stringify([type, status, messageId, turnId, outcome, text]);

/** Groups by session; sessions are in the order of their first item. */
export function bySession<T extends { readonly session: string }>(
  records: readonly T[],
): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const record of records) {
    const group = groups.get(record.session);
    if (group) group.push(record);
    else groups.set(record.session, [record]);
  }
  return groups;
}

/**
 * Joins the views of each session. Two events with one number are a conflict, unless a Redis that went away
 * may have lost the end of the log: then the event of the later epoch counts (E2).
 */
export function joinViews(
  views: readonly View[],
  faults: readonly Fault[],
): { readonly logs: SessionLog[]; readonly findings: Finding[] } {
  const mayLoseTail = faults.some(({ kind }) => kind === 'redis');
  const findings: Finding[] = [];
  const logs = [...bySession(views)].map(([session, group]) => {
    const seen = new Map<number, Seen>();
    for (const view of group) {
      for (const now of seenBy(view)) {
        const before = seen.get(now.event.seq);
        const isSame = !before || identity(before.event) === identity(now.event);
        if (!isSame && (before.epoch === now.epoch || !mayLoseTail)) {
          const both = `${identity(before.event)} and ${identity(now.event)}`;
          const detail = `seq ${now.event.seq} is ${both} at ${view.connection}`;
          findings.push({ kind: 'conflict', session, detail });
        }
        if (!before || isLater(now.epoch, before.epoch)) seen.set(now.event.seq, now);
      }
    }
    return { session, events: new Map([...seen].map(([seq, { event }]) => [seq, event])) };
  });
  return { logs, findings };
}

function seenBy(view: View): Seen[] {
  let epoch = view.epoch;
  return view.frames.flatMap((frame) => {
    epoch = frame.epoch ?? epoch;
    return frame.kind === 'event' ? [{ event: frame, epoch }] : [];
  });
}
