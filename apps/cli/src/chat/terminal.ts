import { createInterface } from 'node:readline';
import { printable } from '../output/printable.js';
import type { Reply } from './effects.js';

export type TerminalEvents = { onLine(line: string): void; onEnd(): void; onInterrupt(): void };

const HISTORY_SHOWN = 20;

/**
 * Replies on stdout, everything else on stderr, so that `echo hi | sluice chat` gives the reply and
 * nothing else. Streams and prompts only on a terminal.
 */
export class Terminal {
  readonly isInteractive = process.stdin.isTTY === true;
  readonly streams = process.stdout.isTTY === true;
  readonly #lines = createInterface({
    input: process.stdin,
    ...(this.isInteractive && this.streams ? { output: process.stdout, prompt: '> ' } : {}),
  });
  #isMidLine = false;
  #isClosed = false;

  constructor(events: TerminalEvents) {
    this.#lines.on('line', (line) => events.onLine(line));
    this.#lines.on('close', () => {
      this.#isClosed = true;
      events.onEnd();
    });
    this.#lines.on('SIGINT', () => events.onInterrupt());
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#lines.removeAllListeners('close');
    this.#lines.close();
  }

  pause(): void {
    if (!this.#isClosed) this.#lines.pause();
  }

  resume(): void {
    if (!this.#isClosed) this.#lines.resume();
  }

  prompt(): void {
    const wanted = this.isInteractive && this.streams && !this.#isMidLine;
    if (wanted && !this.#isClosed) this.#lines.prompt(true);
  }

  history(messages: readonly { role: string; content: string }[]): void {
    for (const { role, content } of messages.slice(-HISTORY_SHOWN)) {
      this.notice(`${role === 'user' ? '> ' : ''}${content}`);
    }
  }

  notice(text: string): void {
    this.#endLine();
    const line = printable(text);
    process.stderr.write(process.stderr.isTTY ? `\u001b[2m${line}\u001b[22m\n` : `${line}\n`);
    this.prompt();
  }

  stream(text: string): void {
    if (!this.streams) return;
    if (!this.#isMidLine) this.#clearPrompt();
    this.#isMidLine = true;
    process.stdout.write(printable(text));
  }

  discard(): void {
    if (this.streams) this.notice('(starting again: the reply so far is void)');
  }

  /** Shows the rest of a streamed reply, or all of one that was not streamed. */
  reply({ content, streamed, outcome, reason }: Reply): void {
    const isShown = this.streams && streamed !== '' && content.startsWith(streamed);
    const rest = isShown ? content.slice(streamed.length) : content;
    if (!isShown) this.#endLine();
    if (!this.#isMidLine) this.#clearPrompt();
    const text = this.streams ? printable(rest) : rest;
    if (content || this.#isMidLine) process.stdout.write(`${text}\n`);
    this.#isMidLine = false;
    if (outcome !== 'ok') this.notice(`[${outcome}${reason ? `: ${reason}` : ''}]`);
    this.prompt();
  }

  #endLine(): void {
    if (this.#isMidLine) process.stdout.write('\n');
    else this.#clearPrompt();
    this.#isMidLine = false;
  }

  #clearPrompt(): void {
    if (this.isInteractive && this.streams) process.stdout.write('\r\u001b[K');
  }
}
