import type { Acknowledgement, Finding, Mode, SentMessage } from './records.js';
import type { SessionLog } from './session-log.js';

/** A message with its place in the log. */
type Done = {
  readonly messageId: string;
  readonly mode: Mode;
  readonly accepted: number;
  readonly final: number;
  readonly turnId: string | undefined;
};

export type SessionMessages = {
  readonly sent: readonly SentMessage[];
  readonly acknowledged: readonly Acknowledgement[];
};

/** Every acknowledged message has exactly one outcome (S2), and every outcome belongs to a sent message. */
export function checkOutcomes(log: SessionLog, { sent, acknowledged }: SessionMessages): Finding[] {
  const { session } = log;
  const finals = new Map<string, number[]>();
  for (const { seq, status, messageId = '' } of log.events.values()) {
    if (status === 'final') finals.set(messageId, [...(finals.get(messageId) ?? []), seq]);
  }
  const known = new Set(sent.map(({ messageId }) => messageId));
  const ids = new Set(acknowledged.map(({ messageId }) => messageId));
  const lost = [...ids].filter((id) => !finals.has(id));
  return [
    ...lost.map((id) => ({ kind: 'lost' as const, session, detail: `${id} has no outcome` })),
    ...[...finals].flatMap(([id, seqs]): Finding[] => {
      if (!known.has(id)) {
        return [{ kind: 'unknown', session, detail: `outcome of ${id}, which was not sent` }];
      }
      const detail = `${id} has outcomes at ${seqs.join(', ')}`;
      return seqs.length > 1 ? [{ kind: 'doubled', session, detail }] : [];
    }),
  ];
}

/**
 * Outcomes come in the order of acceptance. An `interrupt` message comes after the started head (one turn,
 * which may be a batch) and after earlier `interrupt` messages, before all others (T1). Messages that were
 * cancelled, or stopped before their turn began, leave the inbox at any time and are not checked.
 */
export function checkOrder(log: SessionLog, messages: SessionMessages): Finding[] {
  const done = doneMessages(log, messages);
  const interrupts = done.filter(({ mode }) => mode === 'interrupt');
  const others = done.filter(({ mode }) => mode !== 'interrupt');
  const details = [
    ...stepsBack(others),
    ...stepsBack(interrupts),
    ...interrupts.flatMap((message) => misplaced(message, others)),
  ];
  return details.map((detail) => ({ kind: 'reordered', session: log.session, detail }));
}

function doneMessages(log: SessionLog, { sent, acknowledged }: SessionMessages): Done[] {
  const modes = new Map(sent.map(({ messageId, mode }) => [messageId, mode]));
  const accepted = new Map<string, number>();
  for (const { messageId, seq } of acknowledged) if (seq !== null) accepted.set(messageId, seq);
  for (const { messageId = '', seq, status } of log.events.values()) {
    if (status === 'accepted') accepted.set(messageId, seq);
  }
  const done = [...log.events.values()].flatMap((event): Done[] => {
    const { status, messageId = '', outcome, seq, turnId } = event;
    const at = accepted.get(messageId);
    const isTakenOut = outcome === 'cancelled' || (outcome === 'aborted' && !turnId);
    if (status !== 'final' || isTakenOut || at === undefined) return [];
    const mode = modes.get(messageId) ?? 'enqueue';
    return [{ messageId, mode, accepted: at, final: seq, turnId }];
  });
  return done.sort((a, b) => a.accepted - b.accepted);
}

/** `messages` are in the order of acceptance: one line for each whose outcome came before an earlier one's. */
function stepsBack(messages: readonly Done[]): string[] {
  let last: Done | undefined;
  return messages.flatMap((message) => {
    const before = last;
    if (!before || message.final > before.final) last = message;
    if (!before || message.final >= before.final) return [];
    return [`${message.messageId} came before ${before.messageId}, which was accepted earlier`];
  });
}

function misplaced(interrupt: Done, others: readonly Done[]): string[] {
  const { messageId, accepted, final } = interrupt;
  const between = others.filter((other) => other.final > accepted && other.final < final);
  const later = between.filter((other) => other.accepted > accepted);
  const earlier = between.filter((other) => other.accepted < accepted);
  const turns = new Set(earlier.map((other) => other.turnId ?? other.messageId));
  return [
    ...later.map((other) => `${other.messageId} came before interrupt ${messageId}`),
    ...(turns.size > 1 ? [`interrupt ${messageId} waited for ${turns.size} turns`] : []),
  ];
}
