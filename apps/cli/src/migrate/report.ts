import type { Migrated, Progress } from '@sluice/store';

const MIB = 2 ** 20;

/** One line of a pass under way. */
export function progressLine(progress: Progress, ms: number): string {
  const { sessions, listed, copied, bytes, held } = progress;
  const perSecond = Math.round(sessions / Math.max(0.001, ms / 1_000));
  const waits = held > 0 ? `, waiting for the leases of ${held} sessions` : '';
  return `${sessions} of ${listed} sessions, ${copied} copied, ${mib(bytes)}, ${perSecond}/s${waits}`;
}

const mib = (bytes: number) => `${(bytes / MIB).toFixed(1)} MiB`;

/** What a pass did, and what comes next. */
export function summaryOf({ from, to, kind }: Migrated, progress: Progress, ms: number): string[] {
  const { sessions, copied, same, busy, gone, letters, ends, bytes, damaged } = progress;
  const rows: [string, string][] = [
    ['from', from],
    ['to', to],
  ];
  if (kind !== 'complete') rows.push(['sessions', `${sessions} in ${(ms / 1_000).toFixed(1)} s`]);
  if (kind === 'copied' || kind === 'finished') {
    rows.push(['copied', `${copied}, ${mib(bytes)}; each was read back and compared`]);
  }
  if (kind === 'dry') rows.push(['to copy', String(copied)]);
  if (kind !== 'complete') rows.push(['the same', String(same)]);
  if (kind === 'copied')
    rows.push(['in use', `${busy}: they changed meanwhile; --finish copies them`]);
  if (kind !== 'complete') rows.push(['gone', `${gone}: expired or ended meanwhile`]);
  if (kind === 'copied' || kind === 'finished') rows.push(['dead letters', `${letters} copied`]);
  if (kind === 'finished') rows.push(['SESSION_END', `${ends} records not yet in the stream`]);
  if (kind !== 'complete') rows.push(['damaged', `${damaged.length}`]);
  rows.push(['next', nextOf[kind]]);
  return rows.map(([name, value]) => `${name.padEnd(13)}${value}`);
}

const nextOf: Record<Migrated['kind'], string> = {
  copied: 'drain all nodes, then run it with --finish',
  finished: 'start nodes with the new redis.url, redis.prefix and redis.partitions',
  complete: 'the move was completed before: nothing was changed',
  compared: 'nothing was changed',
  dry: 'nothing was written',
};

/** Sessions that differ, or that nothing can read. */
export function differenceLines({ differences, damaged }: Progress): string[] {
  return [
    ...differences.map((difference) => `sluice: ${difference}`),
    ...damaged.map(
      (id) =>
        `sluice: session ${id} has a key of another type and stays where it is ` +
        '(docs/operate/operations.md, "A session is stuck")',
    ),
  ];
}
