import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { exitStatus, StartError } from '@sluice/runtime';
import type { ModuleConfig } from '../port/config.js';
import { decodeEvent, decodeReply, hasType, take, takeFailure } from '../port/events.js';
import {
  type Agent,
  type AgentEvent,
  type Reply,
  RetryableError,
  type RunOptions,
  TerminalError,
  type Turn,
} from '../port/port.js';
import { runAlone } from './command.js';
import type { ProcessEvent } from './command-turns.js';

/** The program that runs one turn of a module in a process of its own. */
const RUNNER = fileURLToPath(new URL('module-process.js', import.meta.url));

export type ModuleOptions = {
  readonly baseDir: string;
  /** Configuration key to name in errors, such as `agents.mine.path`. */
  readonly key: string;
  readonly maxReplyBytes: number;
  onEvent(event: ProcessEvent): void;
};

/**
 * Loads a module whose default export is an agent; what it yields and returns is checked. Its turns run in
 * this process. Only a turn that runs alone gets a process of its own.
 */
export async function makeModule(config: ModuleConfig, options: ModuleOptions): Promise<Agent> {
  const path = resolve(options.baseDir, config.path);
  const agent = await loadModule(path, options.key);
  const retry = config.retry ?? agent.retry;
  const { maxReplyBytes, onEvent } = options;
  const once = {
    words: [process.execPath, ...flags(), RUNNER, path],
    ...{ cwd: process.cwd(), maxReplyBytes, onEvent },
    timeoutMs: 0,
    historyBytes: Number.POSITIVE_INFINITY,
  };
  return {
    ...(agent.usesHistory === undefined ? {} : { usesHistory: agent.usesHistory }),
    ...(agent.historyBytes === undefined ? {} : { historyBytes: agent.historyBytes }),
    ...(retry === undefined ? {} : { retry }),
    isolates: true,
    close: async () => agent.close?.(),
    run: (turn, run) =>
      run.isAlone ? runAlone(once, turn, run.signal) : runModule(agent, turn, run),
  };
}

const EXAMPLE = 'export default { async *run(turn, { signal }) { ... return { content }; } }';

/** Node's flags of this process, such as a loader. Without `--inspect`: two processes cannot share its port. */
function flags(): string[] {
  return process.execArgv.filter((flag) => !flag.startsWith('--inspect'));
}

/** Runs a turn in this process; throws TerminalError if the module yields or returns something invalid. */
export async function* runModule(
  agent: Agent,
  turn: Turn,
  options: RunOptions,
): AsyncGenerator<AgentEvent, Reply, void> {
  try {
    const run = asGenerator(agent.run(turn, options));
    try {
      for (;;) {
        const step = await run.next();
        if (step.done) return take(decodeReply(step.value), 'what run() returned:');
        if (hasType(step.value, 'error')) throw takeFailure(step.value, 'what run() yielded:');
        yield take(decodeEvent(step.value), 'what run() yielded:');
      }
    } finally {
      await run.return?.(undefined);
    }
  } catch (error) {
    throw asOurs(error);
  }
}

/** Imports a module. Throws StartError (78), which begins with `key`, if it has no agent as default export. */
export async function loadModule(path: string, key: string): Promise<Agent> {
  let loaded: unknown;
  try {
    loaded = await import(pathToFileURL(path).href);
  } catch (error) {
    throw new StartError(`${key}: cannot load ${path}: ${whyNotLoaded(error)}`, exitStatus.config);
  }
  const agent = hasDefault(loaded) ? loaded.default : undefined;
  if (isAgent(agent)) return agent;
  throw new StartError(
    `${key}: the default export of ${path} has no run(); write ${EXAMPLE}`,
    exitStatus.config,
  );
}

function whyNotLoaded(error: unknown): string {
  if (String(error).includes("'@sluice/agents'")) {
    return `it needs no import of '@sluice/agents', which is no published package; write ${EXAMPLE}`;
  }
  if (!(error instanceof Error)) return String(error);
  if ('code' in error && error.code === 'ERR_UNKNOWN_FILE_EXTENSION') {
    return 'this Node runs no TypeScript (22.18 and newer do); compile it to .mjs first';
  }
  return error.message;
}

function hasDefault(loaded: unknown): loaded is { default: unknown } {
  return typeof loaded === 'object' && loaded !== null && 'default' in loaded;
}

function isAgent(value: unknown): value is Agent {
  return (
    typeof value === 'object' && value !== null && 'run' in value && typeof value.run === 'function'
  );
}

/** The module may be JavaScript, so its types promise nothing. */
function asGenerator(run: AsyncGenerator<unknown, unknown, void>) {
  if (typeof run?.next === 'function') return run;
  // `run` may be a plain async function: its failure would be an unhandled rejection.
  Promise.resolve(run).catch(() => {});
  throw new TerminalError('run() must be an async generator: async *run(turn) { ... }');
}

/** A module may have its own copy of the error classes, so they are recognised by name. */
function asOurs(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if (error instanceof RetryableError || error instanceof TerminalError) return error;
  if (error.name === 'TerminalError') return new TerminalError(error.message, { cause: error });
  if (error.name !== 'RetryableError') return error;
  const ms = 'retryAfterMs' in error ? Number(error.retryAfterMs) : 0;
  return new RetryableError(error.message, Number.isFinite(ms) ? ms : 0);
}
