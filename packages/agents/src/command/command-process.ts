import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { monotonicMs } from '@sluice/runtime';
import type { RetryPolicy } from '../port/port.js';
import { retryDelayMs } from '../port/retry-delay.js';
import { type Line, outputLines } from '../streams/output-lines.js';

/** A process that lived this long counts as started: the delay before the next start is the first one again. */
const STARTED_MS = 10_000;
/** From SIGTERM to SIGKILL when the node stops; the turns of the process have ended by then. */
const STOP_MS = 150;

type Child = ChildProcessByStdio<Writable, Readable, null>;

export type ProcessEnd = {
  readonly pid: number | undefined;
  readonly why: string;
  /** Delay before it is started again; absent: it is not started again. */
  readonly restartMs?: number;
};

export type CommandOptions = {
  /** The program and its arguments. */
  readonly words: readonly string[];
  readonly cwd: string;
  /** Absent: a process that ends is not started again. */
  readonly restart?: RetryPolicy;
  /** A longer line is skipped. */
  readonly maxLineChars: number;
  onLine(line: Line): void;
  /** The process ended without `stop`, or could not be started again. */
  onEnd(end: ProcessEnd): void;
};

export type CommandProcess = {
  /** Resolves as soon as the process runs; rejects when the signal aborts. */
  ready(signal: AbortSignal): Promise<void>;
  /** False: there is no process to write to. */
  write(line: string): boolean;
  /** Stops reading the output until `resume` was called as often as `pause`. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
};

/**
 * Keeps one child process running: when it ends, it is started again after a growing delay. It has a process
 * group of its own: Ctrl-C in a terminal would otherwise end it during a turn. When the node dies, the input
 * of the child ends. Rejects when the program cannot be started at all.
 */
export async function startCommand(options: CommandOptions): Promise<CommandProcess> {
  const { restart } = options;
  const ups = new EventEmitter().setMaxListeners(0);
  let child: Child | undefined;
  let shortLives = 0;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let pauses = 0;

  function adopt(started: Child): void {
    const startedMs = monotonicMs();
    child = started;
    readLines(started, options);
    started.once('close', (code, signal) => {
      child = undefined;
      if (stopped) return;
      if (monotonicMs() - startedMs >= STARTED_MS) shortLives = 0;
      const why = signal ? `was ended by ${signal}` : `ended with status ${code}`;
      const restartMs = restartLater();
      const end = { pid: started.pid, why };
      options.onEnd(restartMs === undefined ? end : { ...end, restartMs });
    });
    if (pauses > 0) started.stdout.pause();
    if (stopped) kill(started, 'SIGKILL');
    else ups.emit('up');
  }

  function restartLater(): number | undefined {
    if (stopped || !restart) return undefined;
    shortLives += 1;
    const delayMs = retryDelayMs(restart, shortLives);
    timer = setTimeout(() => launch(options).then(adopt, onNotStarted), delayMs);
    return Math.round(delayMs);
  }

  function onNotStarted(error: Error): void {
    const restartMs = restartLater();
    if (restartMs === undefined) return;
    options.onEnd({ pid: undefined, why: `could not be started: ${error.message}`, restartMs });
  }

  adopt(await launch(options));
  return {
    async ready(signal) {
      if (!child) await once(ups, 'up', { signal });
    },
    write(line) {
      return child?.stdin.write(`${line}\n`) !== undefined;
    },
    pause() {
      pauses += 1;
      child?.stdout.pause();
    },
    resume() {
      pauses -= 1;
      if (pauses === 0) child?.stdout.resume();
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      const running = child;
      if (!running) return;
      // Unread output would delay `close`.
      running.stdout.resume();
      const closed = once(running, 'close');
      running.stdin.end();
      kill(running, 'SIGTERM');
      const late = setTimeout(() => kill(running, 'SIGKILL'), STOP_MS);
      await closed;
      clearTimeout(late);
    },
  };
}

function launch({ words, cwd }: CommandOptions): Promise<Child> {
  const [program = '', ...args] = words;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd,
      stdio: ['pipe', 'pipe', 'inherit'],
      detached: true,
    });
    child.once('spawn', () => resolve(child));
    child.on('error', reject);
    // A write fails only when the process is gone, and `close` reports that.
    child.stdin.on('error', () => {});
  });
}

function readLines({ stdout }: Child, { onLine, maxLineChars }: CommandOptions): void {
  const cut = outputLines(maxLineChars);
  stdout.setEncoding('utf8');
  stdout.on('data', (chunk: string) => {
    for (const line of cut(chunk)) onLine(line);
  });
}

/** Signals the whole group: also the processes that the child has started. */
function kill({ pid }: Child, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // It has ended already.
  }
}
