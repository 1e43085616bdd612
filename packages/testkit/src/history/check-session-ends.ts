import type { Cutting, Finding, FindingKind, History, SessionEnd } from './records.js';

const nameOf = ({ session, fence }: { session: string; fence: number }) => `${session} ${fence}`;

/**
 * Each forced close has exactly one SESSION_END in the stream, after de-duplication by `event_id` (D3, D4).
 * It ends its lease, so session and fence identify it. The agent sees no close if the request was not sent
 * yet or the answer had just come: then the SESSION_END must lie within the time in which a node cut turns.
 */
export function checkSessionEnds({
  ends,
  forcedCloses,
  cuttings,
}: Pick<History, 'ends' | 'forcedCloses' | 'cuttings'>): Finding[] {
  const forced = ends.filter(({ reasonCode }) => reasonCode === 'drain_timeout');
  const distinct = [...new Map(forced.map((end) => [end.eventId, end])).values()];
  const found = new Map<string, SessionEnd[]>();
  for (const end of distinct) found.set(nameOf(end), [...(found.get(nameOf(end)) ?? []), end]);
  const closes = new Map(forcedCloses.map((close) => [nameOf(close), close]));

  const finding = (kind: FindingKind, session: string, detail: string) => ({
    kind,
    session,
    detail,
  });
  const missing = [...closes].filter(([name]) => !found.has(name));
  return [
    ...missing.map(([, { session, fence, node }]) =>
      finding('end_missing', session, `forced close at ${node} under fence ${fence}`),
    ),
    ...[...found].flatMap(([name, same]) => {
      const [first] = same;
      if (!first) return [];
      const eventIds = same.map(({ eventId }) => eventId).join(', ');
      if (same.length > 1) return [finding('end_doubled', first.session, eventIds)];
      return closes.has(name) || isCut(first, cuttings)
        ? []
        : [finding('end_unexpected', first.session, eventIds)];
    }),
  ];
}

function isCut({ atMs }: SessionEnd, cuttings: readonly Cutting[]): boolean {
  return cuttings.some(({ startMs, endMs }) => startMs <= atMs && atMs <= endMs);
}
