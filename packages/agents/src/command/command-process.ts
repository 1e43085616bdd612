import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { monotonicMs } from '@sluice/runtime';
import type { RetryPolicy } from '../port/port.js';
import { retryDelayMs } from '../port/retry-delay.js';
import { type Line, outputLines } from '../streams/output-lines.js';

/** A process that lived so long did start: the next start is not delayed by those before. */
const STARTED_MS = 10_000;
/** Between SIGTERM and SIGKILL when the node stops; its turns have ended by then. */
const STOP_MS = 150;

type Child = ChildProcessByStdio<Writable, Readable, null>;

export type ProcessEnd = {
  readonly pid: number | undefined;
  readonly why: string;
  /** After so long it is started again; absent: it is not. */
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
  /** The process is gone, and nobody had stopped it. */
  onEnd(end: ProcessEnd): void;
};

export type CommandProcess = {
  /** Resolves as soon as the process runs; rejects when the signal aborts. */
  ready(signal: AbortSignal): Promise<void>;
  /** False: there is no process to write to. */
  write(line: string): boolean;
  /** Its output is not read until it is resumed, as often as it was paused. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
};

/**
 * Keeps one child process running: one that ends is started again, after a growing delay. In a group of
 * its own, since Ctrl-C goes to the whole group of a terminal and would take it from turns that still
 * run. When this process dies, its input ends. Rejects when the program cannot be started at all.
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
      // What is not read would keep its output open.
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
    // What cannot be written was to a process that is gone: its end is told.
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

/** Its whole group: what it has started itself goes too. */
function kill({ pid }: Child, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // It has ended already.
  }
}
