import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { monotonicMs } from '@sluice/runtime';
import { lineFramer } from './line-framer.js';
import type { RetryPolicy } from './port.js';
import { retryDelayMs } from './retry-delay.js';

/** A process that lived so long did start: the next start is not delayed by those before. */
const STARTED_MS = 10_000;
/** Between SIGTERM and SIGKILL when the node stops; its turns have ended by then. */
const STOP_MS = 150;

type Child = ChildProcessByStdio<Writable, Readable, null>;

export type CommandOptions = {
  /** The program and its arguments. */
  readonly words: readonly string[];
  readonly cwd: string;
  readonly restart: RetryPolicy;
  /** A longer line ends the process. */
  readonly maxLineBytes: number;
  /** False: not a line that can be understood, and none behind it either. */
  onLine(line: string): boolean;
  /** The process is gone; it is started again unless it was stopped. */
  onEnd(why: string): void;
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
  const ups = new EventEmitter().setMaxListeners(0);
  let child: Child | undefined;
  let shortLives = 0;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let pauses = 0;

  function adopt(started: Child): void {
    const startedMs = monotonicMs();
    child = started;
    let fault: string | undefined;
    readLines(started, options, (why) => {
      fault ??= why;
      kill(started, 'SIGKILL');
    });
    started.once('close', (code, signal) => {
      child = undefined;
      if (monotonicMs() - startedMs >= STARTED_MS) shortLives = 0;
      options.onEnd(fault ?? (signal ? `was ended by ${signal}` : `ended with status ${code}`));
      restartLater();
    });
    if (pauses > 0) started.stdout.pause();
    if (stopped) kill(started, 'SIGKILL');
    else ups.emit('up');
  }

  function restartLater(): void {
    if (stopped) return;
    shortLives += 1;
    const delayMs = retryDelayMs(options.restart, shortLives);
    timer = setTimeout(() => launch(options).then(adopt, restartLater), delayMs);
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

function readLines(
  { stdout }: Child,
  { onLine, maxLineBytes }: CommandOptions,
  refuse: (why: string) => void,
): void {
  const framer = lineFramer();
  let waiting = 0;
  stdout.setEncoding('utf8');
  stdout.on('data', (chunk: string) => {
    const lines = framer.feed(chunk);
    waiting = lines.length > 0 ? 0 : waiting + chunk.length;
    if (waiting > maxLineBytes) refuse('wrote a line that is too long');
    if (!lines.every(onLine)) {
      refuse(
        'wrote a line to its output that is no JSON object with a turn_id; logs belong to stderr',
      );
    }
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
