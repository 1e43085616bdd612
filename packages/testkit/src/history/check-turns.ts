import type { Fault, Finding, Turn } from './records.js';
import { bySession } from './session-log.js';

/** How exact the times of two connections are when one event loop reads both. */
const toleranceMs = 50;
/** A connection that was given up before the agent accepted it may be seen this late. */
const acceptMs = 250;
/** How long a node may take after SIGCONT to find out that its leases are gone. */
const wakeMs = 2_000;

type Stops = { readonly faults: readonly Fault[]; readonly leaseTtlMs: number };

/**
 * No two turns of a session run at once. The exception is the first case of L5: the node of the earlier turn
 * was stopped for longer than its lease. (The second case, an agent that ignores its AbortSignal, cannot be
 * seen here: a turn ends when its connection does.)
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

/** `turn` was given up before it began: its request, though sent first, arrived after that of the next turn. */
function cameLate(turn: Turn, other: Turn): boolean {
  // One holder runs one turn after the other, so it sent the request that it gave up first.
  const isOneHolder = turn.node === other.node && turn.fence === other.fence;
  const lateMs = isOneHolder && turn.closedByPeer ? acceptMs : toleranceMs;
  return endOf(turn) - lateMs <= other.startMs;
}

const endOf = ({ endMs }: Turn) => endMs ?? Number.POSITIVE_INFINITY;

/** One of the two turns ran, or was about to begin, on a node that was stopped for longer than its lease. */
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
