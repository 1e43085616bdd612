import type { Logger } from '@sluice/runtime';
import type { NodeState } from '../metrics/index.js';

const EVERY_MS = 10_000;

/** Totals that only grow: the line says by how much since the last one. */
export type Counts = Readonly<
  Record<'messages' | 'refused' | 'turns' | 'failed' | 'hand_overs' | 'takeovers', number>
>;

export type SummaryOptions = {
  readonly log: Logger;
  state(): NodeState | undefined;
  counts(): Promise<Counts>;
};

/** Logs one line every ten seconds at `info`, the level at which turns and connections have no lines. */
export function startSummary({ log, state, counts }: SummaryOptions): { stop(): void } {
  let last: Partial<Counts> = {};
  const tell = async () => {
    const now = await counts();
    const since = Object.fromEntries(
      Object.entries(now).map(([name, count]) => [name, count - (last[name as keyof Counts] ?? 0)]),
    );
    last = now;
    const {
      webSockets: connections = 0,
      streams = 0,
      executing = 0,
      lingering = 0,
    } = state() ?? {};
    log.info({ connections, streams, executing, lingering, ...since }, 'summary');
  };
  const timer = setInterval(tell, EVERY_MS).unref();
  return { stop: () => clearInterval(timer) };
}
