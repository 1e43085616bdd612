import type { RecordedTurn } from '../agents/http-agent.js';
import type { LogLine } from '../client/log-lines.js';
import type { HandOver, Turn } from './records.js';

/** A request at the agent, as the history keeps it. */
export function turnOf(recorded: RecordedTurn, node: string): Turn {
  const { turn, startedAt, endedAt, closedByPeer } = recorded;
  return {
    session: turn.session_id,
    messageId: turn.message_id,
    turnId: turn.turn_id,
    attempt: turn.attempt,
    fence: turn.fence,
    node,
    startMs: startedAt.monotonicMs,
    endMs: endedAt?.monotonicMs ?? null,
    closedByPeer,
  };
}

/** The hand-overs to a node, from its log at level `debug`. */
export function handOversIn(logs: readonly LogLine[]): HandOver[] {
  return logs
    .filter(({ msg }) => msg === 'session handed over')
    .map(({ session_id, pause_ms, time }) => ({
      session: String(session_id),
      atMs: Date.parse(String(time)) - performance.timeOrigin,
      pauseMs: Number(pause_ms),
    }));
}
