import { EventEmitter, on } from 'node:events';
import { startDeadline } from '../port/deadline.js';
import {
  decodeEvent,
  decodeReply,
  hasType,
  maxItemBytes,
  take,
  takeFailure,
} from '../port/events.js';
import { newestWithin } from '../port/history.js';
import {
  type AgentEvent,
  ProcessDied,
  type Reply,
  RetryableError,
  TerminalError,
  type Turn,
} from '../port/port.js';
import type { Line } from '../streams/output-lines.js';
import {
  type CommandOptions,
  type CommandProcess,
  type ProcessEnd,
  startCommand,
} from './command-process.js';

/** Most waiting lines of one turn; above it the output of the process is not read, for other turns neither. */
const WAITING_LINES_MAX = 16;

/** What a process did that concerns more than one turn, or no turn. */
export type ProcessEvent =
  | (ProcessEnd & { readonly kind: 'ended'; readonly turns: number })
  /** A skipped line that names no turn: its first characters and its length. */
  | { readonly kind: 'stray_line'; readonly start: string; readonly chars: number };

export type TurnsOptions = Pick<CommandOptions, 'words' | 'cwd' | 'restart'> & {
  readonly maxReplyBytes: number;
  /** 0: no limit. */
  readonly timeoutMs: number;
  readonly historyBytes: number;
  onEvent(event: ProcessEvent): void;
};

export type ProcessTurns = {
  run(turn: Turn, signal: AbortSignal): AsyncGenerator<AgentEvent, Reply, void>;
  stop(): Promise<void>;
};

/**
 * A process that answers turns. A turn is one line of JSON on its input; the events are lines on its output
 * that name the `turn_id`. A line that names no turn is skipped. When the process ends, its turns fail; turns
 * that come before the next start wait for it.
 */
export async function startTurns(options: TurnsOptions): Promise<ProcessTurns> {
  const { maxReplyBytes, timeoutMs, historyBytes, onEvent, ...command } = options;
  const turns = new Map<string, EventEmitter>();
  const process = await startCommand({
    ...command,
    maxLineChars: maxItemBytes(maxReplyBytes),
    onLine: (line) => {
      if (dispatch(turns, line)) return;
      const { start, chars } = line.kind === 'line' ? sampleOf(line.text) : line;
      onEvent({ kind: 'stray_line', start, chars });
    },
    onEnd(end) {
      onEvent({ kind: 'ended', ...end, turns: turns.size });
      for (const lines of turns.values()) {
        lines.emit('error', new ProcessDied(`the agent's process ${end.why}`));
      }
    },
  });
  return {
    stop: () => process.stop(),
    async *run(turn, signal) {
      const deadline = startDeadline(signal, timeoutMs);
      const lines = new Lines(process);
      let isOver = false;
      try {
        await process.ready(deadline.signal);
        const incoming = on(lines, 'line', {
          signal: deadline.signal,
          highWaterMark: WAITING_LINES_MAX,
        });
        turns.set(turn.turn_id, lines);
        if (!process.write(lineOf(turn, historyBytes))) {
          throw new ProcessDied("the agent's process has just ended");
        }
        for await (const [line] of incoming) {
          isOver = hasType(line, 'final') || isFailure(line);
          if (hasType(line, 'final')) return take(decodeReply(line), 'its final');
          if (isFailure(line)) throw failureOf(line);
          yield take(decodeEvent(line), 'an event of its output:');
        }
        throw new RetryableError('the answer ended without a final');
      } catch (error) {
        throw deadline.explain(error);
      } finally {
        deadline.stop();
        lines.resume();
        // Lines that still come for this turn are dropped.
        const wasSent = turns.delete(turn.turn_id);
        if (wasSent && !isOver) {
          process.write(JSON.stringify({ type: 'abort', turn_id: turn.turn_id }));
        }
      }
    },
  };
}

/** The lines of one turn; `events.on` pauses and resumes what it reads from. */
class Lines extends EventEmitter {
  #isPaused = false;

  constructor(private readonly process: CommandProcess) {
    super();
    // `error` may be emitted when nobody waits for a line any more.
    this.on('error', () => {});
  }

  pause() {
    if (!this.#isPaused) this.process.pause();
    this.#isPaused = true;
  }

  resume() {
    if (this.#isPaused) this.process.resume();
    this.#isPaused = false;
  }
}

/** Returns false when the line names no turn. A line of a turn that is over is dropped, and returns true. */
function dispatch(turns: ReadonlyMap<string, EventEmitter>, line: Line): boolean {
  if (line.kind === 'too_long') {
    const [, turnId = ''] = /"turn_id"\s*:\s*"([^"\\]*)"/.exec(line.start) ?? [];
    return turns.get(turnId)?.emit('error', new TerminalError('reply_too_large')) ?? false;
  }
  let value: unknown;
  try {
    value = JSON.parse(line.text);
  } catch {
    return false;
  }
  if (typeof value !== 'object' || value === null || !('turn_id' in value)) return false;
  turns.get(String(value.turn_id))?.emit('line', value);
  return true;
}

const SAMPLE_CHARS = 200;
const sampleOf = (text: string) => ({ start: text.slice(0, SAMPLE_CHARS), chars: text.length });

/** The whole turn, its history cut to `historyBytes`. */
function lineOf(turn: Turn, historyBytes: number): string {
  return JSON.stringify({
    type: 'turn',
    ...turn,
    history: newestWithin(turn.history, historyBytes),
  });
}

/** A program sends `error`; `exception` comes from our own `module-process` when a module throws. */
const isFailure = (line: unknown) => hasType(line, 'error') || hasType(line, 'exception');

function failureOf(line: unknown): Error {
  const failure = takeFailure(line, 'its error');
  if (!hasType(line, 'exception')) return failure;
  const [message = ''] = failure.message.split('\n');
  return Object.assign(new Error(message), { stack: failure.message });
}
