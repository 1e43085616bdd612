import type { AcceptedFrame, Durability, FinalFrame, MessageFrame } from '@sluice/protocol';
import { makeId, monotonicMs } from '@sluice/runtime';
import type { Appended, SessionRef } from '@sluice/store';
import { acceptedOf, duplicateAccepted } from '../delivery/frames.js';
import { TOO_MANY_MESSAGES } from '../limits/rates.js';
import { retryAfter } from '../limits/retry-after.js';
import type { Exchange, HttpReply } from '../network/transport.js';
import type { EdgeContext } from '../session/context.js';
import { duplicateOutcome } from '../session/duplicate.js';
import { enterSession } from '../session/enter-session.js';
import { refusalOf, submitMessage } from '../session/submit-message.js';
import { abortSession } from './abort-session.js';
import { readMessage } from './read-message.js';
import { type FinalWait, waitForFinal } from './wait-for-final.js';

/** Replies to requests that wait for a turn, or for the acknowledgement. */
export type Waits = Set<HttpReply>;

/** Longest `?wait=`, in seconds. */
const WAIT_MAX_S = 600;

/** `POST .../messages`: 202 with the acknowledgement, or with `?wait` 200 with the outcome. */
export async function postMessage(
  context: EdgeContext,
  exchange: Exchange,
  { ref, waits, waitS }: { ref: SessionRef; waits: Waits; waitS: number },
): Promise<void> {
  const { reply } = exchange;
  const readMs = monotonicMs();
  const waitMs = Math.min(waitS, WAIT_MAX_S) * 1_000;
  // Before the body is looked at: a body that is refused costs as much as a message.
  const admitted = await context.rates.message(ref.principal);
  if (admitted.kind === 'refused') {
    return reply.error('rate_limited', TOO_MANY_MESSAGES, retryAfter(admitted.retryAfterMs));
  }
  const message = await readMessage(exchange, context.limits.maxPayloadBytes);
  if (!message) return;
  if (message.type === 'abort') return await abortSession(context, reply, { ref, frame: message });
  const agentId = await enter(context, reply, { ref, agentId: message.agent_id ?? '' });
  if (agentId === undefined) return;

  waits.add(reply);
  const messageId = message.message_id ?? makeId('msg');
  let final: FinalWait | undefined;
  try {
    final = waitMs > 0 ? await waitForFinal(context, ref, { messageId, agentId }) : undefined;
    reply.onAborted(() => final?.stop());
    const traceparent = message.traceparent ?? exchange.request.header('traceparent');
    const sending = { ref, agentId, messageId, message, traceparent, final, waitMs, readMs };
    await send(context, reply, sending);
  } finally {
    final?.stop();
    waits.delete(reply);
  }
}

/** The session's agent; the session is made when the request names an agent. undefined: the error was sent. */
async function enter(
  context: EdgeContext,
  reply: HttpReply,
  { ref, agentId }: { ref: SessionRef; agentId: string },
): Promise<string | undefined> {
  if (agentId !== '' && !context.hasAgent(agentId)) {
    reply.error('agent_not_found', `no agent "${agentId}"`);
    return undefined;
  }
  const attached = await enterSession(
    context,
    { ...ref, agent: agentId, create: agentId !== '', since: 0, attachId: makeId('att') },
    { isNamed: true },
  );
  if (attached.kind === 'attached') return attached.agent;
  if (attached.kind === 'rate_limited') {
    reply.error('rate_limited', attached.why, retryAfter(attached.retryAfterMs));
    return undefined;
  }
  if (attached.kind === 'wrong_agent') {
    reply.error('wrong_agent', 'the session belongs to another agent; start a new session');
  } else {
    reply.error('session_not_found', 'no such session; name its agent_id to start one');
  }
  return undefined;
}

type Sending = {
  readonly ref: SessionRef;
  readonly agentId: string;
  /** The client's `traceparent`; '' for none. */
  readonly traceparent: string;
  readonly message: Omit<MessageFrame, 'type'>;
  readonly messageId: string;
  readonly final: FinalWait | undefined;
  readonly waitMs: number;
  readonly readMs: number;
};

async function send(
  context: EdgeContext,
  reply: HttpReply,
  { ref, agentId, messageId, message, traceparent, final: wait, waitMs, readMs }: Sending,
): Promise<void> {
  const sent = { ref, agentId, messageId, message, traceparent };
  const appended = await submitMessage(context, sent);
  if (appended.kind !== 'accepted' && appended.kind !== 'duplicate') {
    const { code, text } = refusalOf(appended);
    return reply.error(code, text);
  }
  context.metrics.message(appended.kind);
  if (appended.kind === 'duplicate') {
    const outcome = duplicateOutcome(appended, messageId, ref.sessionId);
    if (outcome) {
      context.rates.messageRead(ref.principal, outcome.content.length);
      return reply.json(200, outcome, outcomeHeader(outcome));
    }
  }
  const reached = context.durability.reached(ref); // before the wait: later another Redis may answer
  const final = await wait?.result(waitMs);
  if (final) return reply.json(200, final, outcomeHeader(final));
  const durability = await reached;
  if (waitMs === 0) context.metrics.ackMs(monotonicMs() - readMs);
  reply.json(202, acknowledgement(ref, messageId, { appended, durability }));
}

/** The status is 200 also for a turn that failed, since the request did not fail; this header has the outcome. */
const outcomeHeader = ({ outcome }: FinalFrame) => ({ 'sluice-outcome': outcome.status });

type Acknowledged = Appended & { kind: 'accepted' | 'duplicate' };

function acknowledgement(
  ref: SessionRef,
  messageId: string,
  { appended, durability }: { appended: Acknowledged; durability: Durability },
): AcceptedFrame {
  if (appended.kind === 'duplicate') {
    const { sessionId } = ref;
    return duplicateAccepted(messageId, appended, { sessionId, durability });
  }
  return { ...acceptedOf(appended.event, ref.sessionId), durability };
}
