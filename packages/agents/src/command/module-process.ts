import { Console } from 'node:console';
import { createInterface } from 'node:readline';
import { RetryableError, TerminalError, type Turn } from '../port/port.js';
import { loadModule, runModule } from './module.js';

/**
 * The program that runs one turn of a module in a process of its own: `node module-process.js <path>`. It
 * speaks as a `command` agent does. What the module prints goes to stderr.
 */
globalThis.console = new Console(process.stderr, process.stderr);
const [path = ''] = process.argv.slice(2);
const agent = await loadModule(path, 'path');
const aborts = new Map<string, AbortController>();

const say = (turn_id: string, line: object) =>
  process.stdout.write(`${JSON.stringify({ turn_id, ...line })}\n`);

async function answer(turn: Turn): Promise<void> {
  const abort = new AbortController();
  aborts.set(turn.turn_id, abort);
  try {
    const events = runModule(agent, turn, { signal: abort.signal });
    for (;;) {
      const step = await events.next();
      if (step.done) return void say(turn.turn_id, { type: 'final', ...step.value });
      say(turn.turn_id, step.value);
    }
  } catch (error) {
    say(turn.turn_id, failureLine(error));
  }
}

function failureLine(error: unknown): object {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof RetryableError) {
    return { type: 'error', message, retryable: true, retry_after_ms: error.retryAfterMs };
  }
  if (error instanceof TerminalError) return { type: 'error', message };
  return {
    type: 'exception',
    message: error instanceof Error ? (error.stack ?? message) : message,
  };
}

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const { type, ...turn } = JSON.parse(line) as Turn & { type: string };
    if (type === 'turn') void answer(turn);
    else aborts.get(turn.turn_id)?.abort(new Error('aborted'));
  })
  // The node is gone, or has the answer.
  .on('close', () => process.exit(0));
