import type { Turn } from '@sluice/agents';
import type { HeadReply, InboxEntry } from '@sluice/store';
import type { Tracing } from '../../tracing/tracing.js';
import type { TurnResult } from './run-turn.js';

const fine: readonly string[] = ['ok', 'aborted', 'left'];

/** Runs one try of a turn in its own span. Reasons may quote what an agent said, so the span has only the outcome. */
export async function traceTurn(
  tracing: Tracing,
  { head, entries, turn }: { head: HeadReply; entries: readonly InboxEntry[]; turn: Turn },
  run: (traceparent: string) => Promise<TurnResult>,
): Promise<TurnResult> {
  const span = tracing.turn({
    agent: head.agent,
    sessionId: head.sessionId,
    messageId: turn.message_id,
    turnId: head.turnId,
    attempt: head.attempt,
    fence: head.fence,
    traceparents: () => entries.map((entry) => entry.traceparent),
  });
  let outcome = 'internal';
  try {
    const result = await run(span.traceparent);
    outcome = result.kind === 'ended' ? result.status : result.kind;
    return result;
  } finally {
    span.end(outcome, fine.includes(outcome) ? undefined : outcome);
  }
}
