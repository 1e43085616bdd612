import type { Fault, Finding, Turn } from './records.js';
import { bySession } from './session-log.js';

/** Reading two ends of two connections in one event loop is not more exact than this. */
const toleranceMs = 50;
/** So late the agent may come to a connection that was given up before it had been accepted. */
const acceptMs = 250;
/** How long a node may take after SIGCONT to find out that its leases are gone. */
const wakeMs = 2_000;

type Stops = { readonly faults: readonly Fault[]; readonly leaseTtlMs: number };

/**
 * No two turns of a session run at once, but for the first case of L5: the node of the earlier one was
 * stopped for longer than its lease. (The second, an agent that ignores its AbortSignal, cannot be seen
 * here: a turn ends when its connection does.)
 */
export function checkTurns(turns: readonly Turn[], stops: Stops): Finding[] {
  return [...bySession(turns)].flatMap(([session, group]) => {
    const sorted = [...group].sort((a, b) => a.startMs - b.startMs);
    const open: Turn[] = [];
    return sorted.flatMap((turn) => {
      const running = open.filter((other) => endOf(other) - toleranceMs > turn.startMs);
      open.splice(0, open.length, ...running, turn);
      return running
        .filter((other) => !cameLate(turn, other))
        .filter((other) => !isExcused(other, turn, stops))
        .map((other) => ({ kind: 'overlap' as const, session, detail: describe(other, turn) }));
    });
  });
}

/** Given up before it began: its request, sent first, may arrive behind that of the next turn. */
function cameLate(turn: Turn, other: Turn): boolean {
  // One holder runs one turn after the other: what it gave up it had asked for before.
  const isOneHolder = turn.node === other.node && turn.fence === other.fence;
  const lateMs = isOneHolder && turn.closedByPeer ? acceptMs : toleranceMs;
  return endOf(turn) - lateMs <= other.startMs;
}

const endOf = ({ endMs }: Turn) => endMs ?? Number.POSITIVE_INFINITY;

/** One of the two belongs to a node that slept over its lease while it ran or was about to begin. */
function isExcused(earlier: Turn, later: Turn, { faults, leaseTtlMs }: Stops): boolean {
  return faults.some(
    ({ kind, node, startMs, endMs }) =>
      kind === 'stop' &&
      endMs - startMs >= leaseTtlMs &&
      [earlier, later].some(
        (turn) => turn.node === node && turn.startMs <= endMs + wakeMs && endOf(turn) >= startMs,
      ) &&
      later.startMs >= startMs &&
      later.startMs <= endMs + wakeMs,
  );
}

function describe(earlier: Turn, later: Turn): string {
  const show = ({ messageId, attempt, fence, node, startMs, endMs }: Turn) => {
    const end = endMs === null ? 'open' : Math.round(endMs);
    return `${messageId}#${attempt} at ${node} (fence ${fence}) ${Math.round(startMs)}..${end}`;
  };
  return `${show(earlier)} and ${show(later)}`;
}
