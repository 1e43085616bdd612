import { defaultRetry, retryDelayMs } from '@sluice/agents';
import { atMostEvery } from '@sluice/runtime';
import type { HeadReply } from '@sluice/store';
import type { WorkerContext } from '../held/context.js';
import type { HeldSession } from '../held/held-session.js';
import { repeatWhileAway } from '../held/repeat-while-away.js';
import { type Tried, without } from './outcome.js';
import type { TurnResult } from './run-turn.js';

const FAILING_TOLD_MS = 10_000;

type Failed = { readonly head: HeadReply; readonly result: TurnResult & { kind: 'retry' } };

/**
 * Lets the head wait in Redis for another attempt: the lease is given up, and a ring comes after the delay. Or returns
 * how the message ends, when it was aborted or has no attempt left (T4, T5). `gone`: the lease is lost.
 */
export async function letWait(
  context: WorkerContext,
  held: HeldSession,
  { head, result }: Failed,
): Promise<Tried | 'waits' | 'gone'> {
  const { leases, rings, metrics, log, agents } = context;
  const { lease, keeper } = held;
  const { how, reason } = result;
  const policy = { ...defaultRetry, ...agents.get(head.agent)?.retry };
  const delayMs = Math.round(Math.max(result.afterMs, retryDelayMs(policy, head.attempt)));
  const again = { turnId: head.turnId, how, delayMs, retryForMs: policy.forMs };
  keeper.rest();
  const reply = await repeatWhileAway(() => leases.retry(lease, again), keeper.lost);
  switch (reply?.kind) {
    case 'waiting': {
      keeper.stop();
      metrics.retry(how === 'cut' ? 'process_died' : 'agent_failed');
      const { sessionId: session_id, turnId: turn_id, attempt } = head;
      tellSeldom(context, head.agent);
      log.debug({ session_id, turn_id, attempt, how, delay_ms: delayMs }, 'turn is tried again');
      await rings.ring(lease.id, reply.ring, { delayMs });
      return 'waits';
    }
    case 'aborted':
      keeper.goOn();
      return { head, ended: without('aborted', reply.reason) };
    case 'spent': {
      keeper.goOn();
      const deadLetter = how === 'cut' ? 'attempts_cut_short' : 'agent_failed';
      return { head, ended: without('dead_lettered', reason), deadLetter };
    }
    default:
      return 'gone';
  }
}

/** Logs that an agent fails, at most once in 10 s: an outage fails every turn again and again. */
function tellSeldom({ log, failing }: WorkerContext, agent: string): void {
  const count = failing.get(agent) ?? atMostEvery(FAILING_TOLD_MS);
  failing.set(agent, count);
  const attempts = count();
  if (attempts > 0) log.warn({ agent, attempts }, 'agent fails, messages are tried again');
}
