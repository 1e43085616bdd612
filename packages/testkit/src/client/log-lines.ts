import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** One line of a pino log. */
export type LogLine = {
  readonly msg?: string;
  readonly level?: string;
  readonly [key: string]: unknown;
};

function parseLine(text: string): LogLine {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return { ...value };
  } catch {
    // Not from pino: a stack trace, a warning of Node.
  }
  return { msg: text };
}

/** Keeps the parsed lines of a process, and resolves `waitFor` when a line matches. */
export class LogLines {
  readonly lines: LogLine[] = [];
  readonly #watchers = new Set<() => void>();

  read(stream: Readable): void {
    createInterface({ input: stream }).on('line', (text) => {
      this.lines.push(parseLine(text));
      for (const look of [...this.#watchers]) look();
    });
  }

  /** The first matching line of all; rejects after `ms`, or at once when `ended` does. */
  waitFor(
    matches: (line: LogLine) => boolean,
    { ms, ended }: { readonly ms: number; readonly ended: Promise<unknown> },
  ): Promise<LogLine> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer);
        this.#watchers.delete(look);
      };
      const fail = (why: string) => {
        settle();
        reject(new Error(`${why}; the log's end:\n${this.tail()}`));
      };
      const look = () => {
        const line = this.lines.find(matches);
        if (!line) return;
        settle();
        resolve(line);
      };
      const timer = setTimeout(() => fail(`no such line in ${ms} ms`), ms);
      this.#watchers.add(look);
      ended.then(() => fail('the process has ended'));
      look();
    });
  }

  tail(count = 20): string {
    return this.lines
      .slice(-count)
      .map((line) => JSON.stringify(line))
      .join('\n');
  }
}
