import {
  type Agent,
  type AgentEvent,
  ProcessDied,
  type Reply,
  RetryableError,
  TerminalError,
  type Turn,
} from '@sluice/agents';
import type { OutcomeStatus } from '@sluice/protocol';
import { streamFields } from '@sluice/store';
import type { DeltaPace } from '../gates/delta-pace.js';
import type { Stop } from '../held/held-session.js';
import { type Append, makeDeltaBuffer } from './delta-buffer.js';
import { sliceOver } from './slice.js';

/** Time that an agent has to heed its signal, so that its turn does not overlap the next one (L5, T6). */
const ABORT_GRACE_MS = 2_500;
const REASON_CHARS_MAX = 1_000;
/** The reason that clients get when an agent's code throws: its own text is for the operator. */
const AGENT_FAILED = 'the agent failed';

export type TurnResult =
  | {
      readonly kind: 'ended';
      readonly status: OutcomeStatus;
      readonly reason: string;
      readonly content: string;
      readonly usage: string;
      readonly trailing: string[][];
    }
  | {
      readonly kind: 'retry';
      /** `failed`: the agent says that its failure passes; `cut`: the process that ran the turn died. */
      readonly how: 'failed' | 'cut';
      readonly afterMs: number;
      readonly reason: string;
    }
  | { readonly kind: 'left' };

export type TurnOptions = {
  readonly append: Append;
  readonly pace: DeltaPace;
  /** 0: no limit. */
  readonly timeoutMs: number;
  /** Names the span of the turn; '' when it is not traced. */
  readonly traceparent?: string;
  /** Called when the agent failed and the turn ends with that. */
  onFailed?(error: unknown): void;
  /** The turn runs in a process of its own. */
  readonly isAlone?: boolean;
  /** Aborted with a `Stop` as its reason. */
  readonly stop: AbortController;
};

type Ran =
  | { readonly kind: 'replied'; readonly reply: Reply }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'stopped' };

/**
 * One try of one turn: streams, watches its time, and returns how it ended. Throws only the failure of an append.
 */
export async function runTurn(agent: Agent, turn: Turn, options: TurnOptions): Promise<TurnResult> {
  const { stop, timeoutMs, traceparent = '', isAlone = false } = options;
  const buffer = makeDeltaBuffer(turn.message_id, {
    append: options.append,
    pace: options.pace,
    onFailed: () => stop.abort({ kind: 'append_failed' } satisfies Stop),
  });
  let streamed = '';
  const onEvent = (event: AgentEvent) => {
    if (stop.signal.aborted) return;
    const isBehind = buffer.push(event);
    if (event.type === 'delta') streamed += event.content;
    return isBehind;
  };
  const timer =
    timeoutMs > 0
      ? setTimeout(() => stop.abort({ kind: 'timeout' } satisfies Stop), timeoutMs)
      : undefined;
  const run = { signal: stop.signal, traceparent, isAlone };
  const ran = await untilStopped(
    runAgent(() => agent.run(turn, run), onEvent, stop.signal),
    stop.signal,
  );
  clearTimeout(timer);

  const stopped = stop.signal.aborted ? (stop.signal.reason as Stop) : undefined;
  if (stopped?.kind === 'lost' || stopped?.kind === 'drain') return { kind: 'left' };
  const again = !stopped && ran.kind === 'failed' ? retryOf(ran.error) : undefined;
  if (again) {
    await buffer.settle();
    return again;
  }
  if (!stopped && ran.kind === 'failed') options.onFailed?.(ran.error);
  const outcome = stopped ? outcomeOfStop(stopped, streamed) : outcomeOf(ran);
  const trailing = await buffer.settle();
  if (buffer.used) {
    if (outcome.status === 'error') {
      trailing.push(streamFields('stream_error', turn.message_id, { error: outcome.reason }));
    }
    trailing.push(streamFields('stream_end', turn.message_id));
  }
  return { kind: 'ended', ...outcome, trailing };
}

async function runAgent(
  run: () => ReturnType<Agent['run']>,
  onEvent: (event: AgentEvent) => Promise<unknown> | undefined,
  signal: AbortSignal,
): Promise<Ran> {
  try {
    const events = run();
    for (;;) {
      const isOver = sliceOver();
      if (isOver) await isOver;
      const step = await events.next();
      if (step.done) return { kind: 'replied', reply: step.value };
      if (signal.aborted) {
        // The agent does not look at its signal: end its generator, so that its `finally` blocks run.
        await events.return({ content: '' });
        return { kind: 'stopped' };
      }
      const isBehind = onEvent(step.value);
      if (isBehind) await isBehind;
    }
  } catch (error) {
    return { kind: 'failed', error };
  }
}

/** Resolves with the agent; once stopped, at the latest after the grace (none when the turn is left to others). */
function untilStopped(running: Promise<Ran>, signal: AbortSignal): Promise<Ran> {
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    const onStop = () => {
      const { kind } = signal.reason as Stop;
      const graceMs = kind === 'lost' || kind === 'drain' ? 0 : ABORT_GRACE_MS;
      timer = setTimeout(() => resolve({ kind: 'stopped' }), graceMs);
    };
    if (signal.aborted) onStop();
    else signal.addEventListener('abort', onStop, { once: true });
    running.then((ran) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onStop);
      resolve(ran);
    });
  });
}

/** The result for an error after which another attempt is worth while; undefined: it is not. */
function retryOf(error: unknown): (TurnResult & { kind: 'retry' }) | undefined {
  if (error instanceof RetryableError) {
    const { retryAfterMs: afterMs } = error;
    return { kind: 'retry', how: 'failed', afterMs, reason: reasonOf(error) };
  }
  if (!(error instanceof ProcessDied)) return undefined;
  return { kind: 'retry', how: 'cut', afterMs: 0, reason: reasonOf(error) };
}

type Outcome = { status: OutcomeStatus; reason: string; content: string; usage: string };

function outcomeOfStop(stop: Stop, streamed: string): Outcome {
  const base = { content: streamed, usage: '' };
  if (stop.kind === 'timeout') return { ...base, status: 'timeout', reason: 'per_turn_timeout' };
  return { ...base, status: 'aborted', reason: stop.kind === 'aborted' ? stop.reason : stop.kind };
}

function outcomeOf(ran: Ran): Outcome {
  if (ran.kind !== 'replied') {
    const reason = ran.kind === 'failed' ? reasonOf(ran.error) : 'stopped';
    return { status: 'error', reason, content: '', usage: '' };
  }
  const { content, usage } = ran.reply;
  return { status: 'ok', reason: '', content, usage: usage ? JSON.stringify(usage) : '' };
}

/** Only the error classes of the agent port have texts for clients; any other exception may say anything (X6). */
function reasonOf(error: unknown): string {
  const isSaid = [RetryableError, TerminalError, ProcessDied].some((of) => error instanceof of);
  return (
    (isSaid && error instanceof Error && error.message.slice(0, REASON_CHARS_MAX)) || AGENT_FAILED
  );
}
