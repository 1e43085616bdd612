import { EventEmitter, on } from 'node:events';
import { resolve } from 'node:path';
import { exitStatus, StartError } from '@sluice/runtime';
import { type CommandProcess, startCommand } from './command-process.js';
import type { CommandConfig } from './config.js';
import { startDeadline } from './deadline.js';
import { decodeEvent, decodeReply, hasType, maxItemBytes, take, takeFailure } from './events.js';
import { newestWithin } from './history.js';
import { type Agent, RetryableError, type Turn } from './port.js';

export type CommandAgentOptions = {
  readonly baseDir: string;
  /** Configuration key to name in errors, such as `agents.mine.command`. */
  readonly key: string;
  readonly maxReplyBytes: number;
};

/** Lines of one turn that wait to be taken: beyond it the process is not read, whosever lines come. */
const WAITING_LINES_MAX = 16;

/**
 * A child process that answers turns: each is one line of JSON on its input, its events are lines on
 * its output that name the `turn_id`. All turns of the node share the process. When it ends, the turns
 * that it had are retried; those that come meanwhile wait for the next one.
 */
export async function makeCommand(
  config: CommandConfig,
  options: CommandAgentOptions,
): Promise<Agent> {
  const turns = new Map<string, EventEmitter>();
  const command = await start(config, options, {
    onLine: (line) => dispatch(turns, line),
    onEnd(why) {
      for (const lines of turns.values()) {
        lines.emit('error', new RetryableError(`the agent's process ${why}`));
      }
    },
  });
  return {
    usesHistory: config.historyBytes > 0,
    historyBytes: config.historyBytes,
    retry: config.retry,
    close: () => command.stop(),
    async *run(turn, { signal }) {
      const deadline = startDeadline(signal, config.timeoutMs);
      const lines = new Lines(command);
      let isOver = false;
      try {
        await command.ready(deadline.signal);
        const incoming = on(lines, 'line', {
          signal: deadline.signal,
          highWaterMark: WAITING_LINES_MAX,
        });
        turns.set(turn.turn_id, lines);
        send(command, lineOf(turn, config.historyBytes));
        for await (const [line] of incoming) {
          isOver = hasType(line, 'final') || hasType(line, 'error');
          if (hasType(line, 'final')) return take(decodeReply(line), 'its final');
          if (hasType(line, 'error')) throw takeFailure(line, 'its error');
          yield take(decodeEvent(line), 'an event of its output:');
        }
        throw new RetryableError('the answer ended without a final');
      } catch (error) {
        throw deadline.explain(error);
      } finally {
        deadline.stop();
        lines.resume();
        // Not answered to its end: whatever still comes for this turn is dropped.
        const wasSent = turns.delete(turn.turn_id);
        if (wasSent && !isOver) {
          command.write(JSON.stringify({ type: 'abort', turn_id: turn.turn_id }));
        }
      }
    },
  };
}

/** The lines of one turn; `events.on` pauses and resumes what it reads from. */
class Lines extends EventEmitter {
  #isPaused = false;

  constructor(private readonly command: CommandProcess) {
    super();
    // Its end may be told when nobody waits for a line any more.
    this.on('error', () => {});
  }

  pause() {
    if (!this.#isPaused) this.command.pause();
    this.#isPaused = true;
  }

  resume() {
    if (this.#isPaused) this.command.resume();
    this.#isPaused = false;
  }
}

type Listeners = { onLine(line: string): boolean; onEnd(why: string): void };

async function start(
  config: CommandConfig,
  { baseDir, key, maxReplyBytes }: CommandAgentOptions,
  listeners: Listeners,
): Promise<CommandProcess> {
  const cwd = resolve(baseDir, config.cwd ?? '.');
  try {
    return await startCommand({
      words: config.command,
      cwd,
      restart: config.retry,
      maxLineBytes: maxItemBytes(maxReplyBytes),
      ...listeners,
    });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const message = `${key}: cannot start "${config.command.join(' ')}" in ${cwd}: ${why}`;
    throw new StartError(message, exitStatus.config);
  }
}

/** False: the line is no JSON object with a `turn_id`. Of a turn that is over it means nothing. */
function dispatch(turns: ReadonlyMap<string, EventEmitter>, line: string): boolean {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return false;
  }
  if (typeof value !== 'object' || value === null || !('turn_id' in value)) return false;
  turns.get(String(value.turn_id))?.emit('line', value);
  return true;
}

function send(command: CommandProcess, line: string): void {
  if (!command.write(line)) throw new RetryableError("the agent's process has just ended");
}

/** The whole turn, its history cut to `historyBytes`. */
function lineOf(turn: Turn, historyBytes: number): string {
  return JSON.stringify({
    type: 'turn',
    ...turn,
    history: newestWithin(turn.history, historyBytes),
  });
}
