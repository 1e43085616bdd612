import { makeId, monotonicMs } from '@sluice/runtime';
import {
  acceptedAtMs,
  decodeEntry,
  entryMessageId,
  type HeadReply,
  readable,
  type TurnEnd,
} from '@sluice/store';
import type { WorkerContext } from '../held/context.js';
import type { Begun, HeldSession } from '../held/held-session.js';
import { repeatWhileAway } from '../held/repeat-while-away.js';
import { type Ended, type Tried, without } from './outcome.js';
import { letWait } from './retry.js';
import { runTurn, type TurnResult } from './run-turn.js';
import { toTurn } from './to-turn.js';
import { traceTurn } from './trace-turn.js';
import { withoutContent } from './without-content.js';

/** A batch has one outcome. If one of its messages is damaged, the agent is not asked, and the batch ends with this. */
const DAMAGED = 'its data in Redis is damaged';

/**
 * Runs turn after turn, with one commit each. `idle`: nothing waits. `more`: something does, but the session goes to
 * others. `waits`: the lease was given up, and the head is tried again later. `gone`: the lease is lost or given up.
 */
export async function runTurns(
  context: WorkerContext,
  held: HeldSession,
  begun: Begun,
): Promise<'idle' | 'more' | 'waits' | 'gone'> {
  const { metrics, log } = context;
  for (let next: Begun = begun; ; ) {
    const startedMs = monotonicMs();
    countWaits(context, next.head);
    const tried = await runHead(context, held, next);
    if (tried === 'gone' || tried === 'waits') return tried;
    const { head, ended, deadLetter } = tried;
    held.turns++;
    const reply = await commit(context, held, head, ended);
    const { sessionId: session_id, turnId: turn_id, fence, attempt } = head;
    const ms = monotonicMs() - startedMs;
    log.debug({ session_id, turn_id, fence, attempt, outcome: ended.status, ms }, 'turn ended');
    if (!reply || reply.kind === 'fenced') return 'gone';
    metrics.turn({ agent: head.agent, outcome: ended.status, ms });
    if (deadLetter) {
      metrics.deadLetter(deadLetter);
      log.warn({ session_id, agent: head.agent, turn_id, attempt, why: deadLetter }, 'dead letter');
    }
    if (reply.kind !== 'next') return reply.kind;
    held.takeWake(); // dropped: this reply has brought the message of the wake
    next = { kind: 'begun', head: reply.head };
  }
}

/** Measures how long each message of the head waited for its first attempt; both times are of Redis. */
function countWaits({ metrics }: WorkerContext, { firstAtMs, entries }: HeadReply): void {
  if (Number.isNaN(firstAtMs)) return;
  for (const entry of entries) metrics.queueWaitMs(firstAtMs - acceptedAtMs(entry));
}

/** Tries the started head once; `waits`: it is tried again later; `gone`: it is left to others. */
async function runHead(
  context: WorkerContext,
  held: HeldSession,
  { kind, head }: Begun,
): Promise<Tried | 'waits' | 'gone'> {
  if (kind === 'exhausted') {
    const reason = `no attempt left: ${head.attempt} were cut short`;
    return { head, ended: without('dead_lettered', reason), deadLetter: 'attempts_cut_short' };
  }
  if (head.abort !== '') return { head, ended: without('aborted', head.abort) };
  held.stop = new AbortController();
  if (held.left) return 'gone';
  const result = await tryOnce(context, held, head);
  if (result.kind === 'left') return 'gone';
  return result.kind === 'ended'
    ? { head, ended: result }
    : letWait(context, held, { head, result });
}

async function tryOnce(
  context: WorkerContext,
  held: HeldSession,
  head: HeadReply,
): Promise<TurnResult> {
  const { leases, limits, agents, log, tracing } = context;
  const { lease, keeper, stop } = held;
  const agent = agents.get(head.agent);
  if (!agent || !stop) return without('error', `no node has the agent "${head.agent}"`);
  const entries = readEntries(context, head, lease.id);
  if (entries.length < head.entries.length) return without('error', DAMAGED);
  const wanted = { head, takenBytes: agent.historyBytes };
  const history =
    agent.usesHistory === false
      ? []
      : await repeatWhileAway(() => held.history.read(leases, lease.id, wanted), keeper.lost);
  if (!history) return { kind: 'left' };
  const append = async (number: number, batch: string[][]) => {
    const reply = await repeatWhileAway(
      () => leases.appendEvents(lease, { turnId: head.turnId, number, batch }),
      keeper.lost,
    );
    if (reply?.kind === 'appended' && reply.abort !== '') {
      held.stopTurn({ kind: 'aborted', reason: reply.abort });
    }
    if (reply?.kind === 'fenced') keeper.check();
    return reply?.kind === 'appended';
  };
  try {
    const turn = toTurn(head, entries, history);
    return await traceTurn(tracing, { head, entries, turn }, (traceparent) =>
      runTurn(agent, turn, {
        append,
        pace: context.pace,
        stop,
        timeoutMs: limits.perTurnTimeoutMs,
        traceparent,
        isAlone: head.isAlone,
        onFailed: (error) =>
          log.warn(
            {
              ...{ session: lease.id, turn_id: head.turnId, attempt: head.attempt },
              ...{ agent: head.agent, err: withoutContent(error, turn.content) },
            },
            'agent failed',
          ),
      }),
    );
  } catch (err) {
    log.error({ err, session: lease.id }, 'turn failed inside the gateway');
    return without('error', 'internal');
  }
}

/** The messages of the head that can be read; the log names the others. */
function readEntries({ damage }: WorkerContext, head: HeadReply, session: string) {
  return head.entries.flatMap((entry) => {
    const read = readable(decodeEntry)(entry);
    if (read.length === 0) damage(`message ${entryMessageId(entry)} of ${session}`, { session });
    return read;
  });
}

function commit(context: WorkerContext, held: HeldSession, head: HeadReply, ended: Ended) {
  const { leases, limits, slots, permits, phase } = context;
  const isFree = slots.free > 0 && !permits.isLimited(held.lease.id);
  const mayGoOn = held.turns < limits.maxTurnsPerLease || isFree;
  const { kind: _, ...outcome } = ended;
  const end: TurnEnd = {
    ...outcome,
    turnId: head.turnId,
    nextTurnId: makeId('turn'),
    // A `sole` node goes on even if others wait: no node would answer the ring (D2).
    fetch: phase === 'sole' || (phase === 'running' && mayGoOn),
  };
  const last = head.entries.at(-1);
  return repeatWhileAway(async () => {
    const reply = await leases.commit(held.lease, end);
    if (reply.kind !== 'fenced' && last !== undefined) {
      held.committed(head, {
        role: 'assistant',
        content: end.content,
        message_id: entryMessageId(last),
        timestamp: Date.now() / 1_000,
        turn_id: head.turnId,
        outcome: { status: ended.status, ...(ended.reason ? { reason: ended.reason } : {}) },
      });
    }
    return reply;
  }, held.keeper.lost);
}
