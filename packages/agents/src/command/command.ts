import { resolve } from 'node:path';
import { exitStatus, StartError } from '@sluice/runtime';
import type { CommandConfig } from '../port/config.js';
import {
  type Agent,
  type AgentEvent,
  type Reply,
  RetryableError,
  type Turn,
} from '../port/port.js';
import {
  type ProcessEvent,
  type ProcessTurns,
  startTurns,
  type TurnsOptions,
} from './command-turns.js';

export type CommandAgentOptions = {
  readonly baseDir: string;
  /** Configuration key to name in errors, such as `agents.mine.command`. */
  readonly key: string;
  readonly maxReplyBytes: number;
  onEvent(event: ProcessEvent): void;
};

/**
 * A child process that answers turns and is started again when it ends. All turns of the node share it. Only
 * a turn that runs alone gets a process of its own.
 */
export async function makeCommand(
  config: CommandConfig,
  { baseDir, key, maxReplyBytes, onEvent }: CommandAgentOptions,
): Promise<Agent> {
  const cwd = resolve(baseDir, config.cwd ?? '.');
  const { command: words, historyBytes, timeoutMs } = config;
  const once = { words, cwd, maxReplyBytes, historyBytes, timeoutMs, onEvent };
  let shared: ProcessTurns;
  try {
    shared = await startTurns({ ...once, restart: config.retry });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const message = `${key}: cannot start "${words.join(' ')}" in ${cwd}: ${why}`;
    throw new StartError(message, exitStatus.config);
  }
  return {
    usesHistory: historyBytes > 0,
    historyBytes,
    retry: config.retry,
    isolates: true,
    close: () => shared.stop(),
    run: (turn, { signal, isAlone }) =>
      isAlone ? runAlone(once, turn, signal) : shared.run(turn, signal),
  };
}

/** Runs one turn in a process that is started for it and stopped after it. */
export async function* runAlone(
  options: TurnsOptions,
  turn: Turn,
  signal: AbortSignal,
): AsyncGenerator<AgentEvent, Reply, void> {
  const own = await startTurns(options).catch((error: Error) => {
    throw new RetryableError(`no process of its own could be started: ${error.message}`);
  });
  try {
    return yield* own.run(turn, signal);
  } finally {
    await own.stop();
  }
}
