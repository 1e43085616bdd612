import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { exitStatus, StartError } from '@sluice/runtime';
import type { ModuleConfig } from './config.js';
import { decodeEvent, decodeReply, hasType, take, takeFailure } from './events.js';
import { type Agent, RetryableError, TerminalError } from './port.js';

export type ModuleOptions = {
  readonly baseDir: string;
  /** Configuration key to name in errors, such as `agents.mine.path`. */
  readonly key: string;
};

/** Loads a module whose default export is an agent; what it yields and returns is checked. */
export async function makeModule(config: ModuleConfig, options: ModuleOptions): Promise<Agent> {
  const path = resolve(options.baseDir, config.path);
  const agent = await load(path, options.key);
  const retry = config.retry ?? agent.retry;
  return {
    ...(agent.usesHistory === undefined ? {} : { usesHistory: agent.usesHistory }),
    ...(agent.historyBytes === undefined ? {} : { historyBytes: agent.historyBytes }),
    ...(retry === undefined ? {} : { retry }),
    close: async () => agent.close?.(),
    async *run(turn, options) {
      try {
        return yield* checked(agent.run(turn, options));
      } catch (error) {
        throw asOurs(error);
      }
    },
  };
}

const EXAMPLE = 'export default { async *run(turn, { signal }) { ... return { content }; } }';

async function load(path: string, key: string): Promise<Agent> {
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
async function* checked(run: AsyncGenerator<unknown, unknown, void>) {
  if (typeof run?.next !== 'function') {
    // A plain async function: its own failure would otherwise be an unhandled rejection.
    Promise.resolve(run).catch(() => {});
    throw new TerminalError('run() must be an async generator: async *run(turn) { ... }');
  }
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
}

/** A module may bring its own copy of the error classes; their names tell. */
function asOurs(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if (error instanceof RetryableError || error instanceof TerminalError) return error;
  if (error.name === 'TerminalError') return new TerminalError(error.message, { cause: error });
  if (error.name !== 'RetryableError') return error;
  const ms = 'retryAfterMs' in error ? Number(error.retryAfterMs) : 0;
  return new RetryableError(error.message, Number.isFinite(ms) ? ms : 0);
}
