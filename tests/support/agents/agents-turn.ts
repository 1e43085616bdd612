import {
  type Agent,
  type AgentEvent,
  ProcessDied,
  type Reply,
  RetryableError,
  TerminalError,
  type Turn,
} from '@sluice/agents';
import type { HistoryMessage } from '@sluice/protocol';
import { sleep } from '@sluice/runtime';

export function makeTurn(given: Partial<Turn> = {}): Turn {
  return {
    session_id: 'ses_1',
    principal: 'alice',
    message_id: 'm1',
    turn_id: 't1',
    content: 'hello there',
    metadata: { channel: 'web' },
    attempt: 1,
    fence: 1_795_384_129_742,
    idempotency_key: 'abcdefghijkl.ses_1:m1',
    history: [],
    ...given,
  };
}

export function said(role: HistoryMessage['role'], content: string): HistoryMessage {
  return { role, content, message_id: 'm0', timestamp: 1_795_384_129 };
}

export type Ran = { readonly events: AgentEvent[]; readonly reply: Reply };

/** Runs one turn to its end, as the worker does. */
export async function run(
  agent: Agent,
  turn = makeTurn(),
  { signal = new AbortController().signal, isAlone = false } = {},
): Promise<Ran> {
  const events: AgentEvent[] = [];
  const iterator = agent.run(turn, { signal, isAlone });
  for (;;) {
    const step = await iterator.next();
    if (step.done) return { events, reply: step.value };
    events.push(step.value);
  }
}

export function textOf(events: readonly AgentEvent[]): string {
  return events.map((event) => (event.type === 'delta' ? event.content : '')).join('');
}

export type Failure = {
  readonly kind: 'retryable' | 'died' | 'terminal' | 'other' | 'none';
  readonly message: string;
  readonly retryAfterMs: number;
};

/** How a turn fails; told apart by class, as in the worker. */
export async function failureOf(
  agent: Agent,
  turn = makeTurn(),
  { isAlone = false } = {},
): Promise<Failure> {
  try {
    const { reply } = await run(agent, turn, { isAlone });
    return { kind: 'none', message: JSON.stringify(reply), retryAfterMs: 0 };
  } catch (error) {
    if (error instanceof RetryableError) {
      return { kind: 'retryable', message: error.message, retryAfterMs: error.retryAfterMs };
    }
    const ours = error instanceof TerminalError ? 'terminal' : 'other';
    const kind = error instanceof ProcessDied ? 'died' : ours;
    return { kind, message: String(error).replace(/^\w+: /, ''), retryAfterMs: 0 };
  }
}

export function retryable(message: string, retryAfterMs = 0): Failure {
  return { kind: 'retryable', message, retryAfterMs };
}

export function terminal(message: string): Failure {
  return { kind: 'terminal', message, retryAfterMs: 0 };
}

/** Waits until `check` is true, at most 5 s. */
export async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error(`never came true: ${check}`);
    await sleep(5);
  }
}

/** Runs a turn and aborts it when `whenTrue` is; returns what it threw, and how long after the abort. */
export async function abortWhen(agent: Agent, whenTrue: () => boolean | Promise<boolean>) {
  const controller = new AbortController();
  const reason = new Error('aborted by the test');
  const failure = run(agent, makeTurn(), { signal: controller.signal }).then(
    () => new Error('the turn was not aborted'),
    (error: unknown) => error,
  );
  await until(whenTrue);
  const abortedAt = performance.now();
  controller.abort(reason);
  const error = await failure;
  return { error, reason, ms: performance.now() - abortedAt };
}
