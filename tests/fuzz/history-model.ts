import type { Entry } from './model-state.js';

export type HistoryLimits = {
  readonly maxMessages: number;
  readonly maxEvents: number;
  /** Limit of the log, and the same limit of the history. */
  readonly maxLogBytes: number;
};

/** One message or reply, as an agent and a reader see it. */
export type ModelLine = readonly [role: 'user' | 'assistant', id: string, text: string];
type Line = { readonly line: ModelLine; readonly bytes: number };
type Outcome = { readonly seq: number; readonly status: string; readonly text: string };
export type ModelReply = {
  readonly status: string;
  readonly text: string;
  readonly reason: string;
};

const numberOf = (id: string) => Number(/\d+/.exec(id)?.[0] ?? 0);
const bytesOf = (text: string) => Buffer.byteLength(text);

/** The text that is sent under this id, or answered in this turn: of varying length, not only ASCII. */
export const textOf = (id: string) =>
  `${id}${'é'.repeat(numberOf(id) % 3)}${'x'.repeat((numberOf(id) * 37) % 200)}`;
export const bodyOf = (id: string) => JSON.stringify(textOf(id));

/** Stands for a time of Redis: only its length counts. */
const SOME_TIME = '1795942046775';
const REPLY_BYTES = 100;

/** The texts of a session, whatever the log still holds: only its own limits remove a line (T2). */
export class HistoryModel {
  /** The oldest event that the log holds: read from Redis, not predicted. */
  low = 1;
  private kept: Line[] = [];
  private readonly outcomes = new Map<string, Outcome>();

  constructor(readonly limits: HistoryLimits) {}

  get lines(): ModelLine[] {
    return this.kept.map(({ line }) => line);
  }

  holds(seq: unknown): boolean {
    return Number(seq) >= this.low;
  }

  ended(id: string, outcome: Outcome): void {
    this.outcomes.set(id, outcome);
  }

  /** The status of an outcome that the log still has. */
  statusOf(id: string): string | undefined {
    const outcome = this.outcomes.get(id);
    return outcome && this.holds(outcome.seq) ? outcome.status : undefined;
  }

  /** A turn that ended, or was stopped before it began. */
  turn(entries: readonly Entry[], { text, reason }: ModelReply): void {
    for (const { id, position, mode } of entries) {
      const bytes = bytesOf(`u ${id} ${SOME_TIME} ${position} ${mode} ${bodyOf(id)}`);
      this.kept.push({ line: ['user', id, textOf(id)], bytes });
    }
    const line: ModelLine = ['assistant', entries.at(-1)?.id ?? '', text];
    this.kept.push({ line, bytes: REPLY_BYTES + bytesOf(text + reason) });
    const { maxMessages, maxLogBytes } = this.limits;
    const isOver = () => this.kept.reduce((sum, { bytes }) => sum + bytes, 0) > maxLogBytes;
    while (this.kept.length > maxMessages || (this.kept.length > 1 && isOver())) this.kept.shift();
  }

  clear(): void {
    this.kept = [];
  }

  /** What a repeat gets: from the log, else from the history. */
  repeated(id: string): string {
    const outcome = this.outcomes.get(id);
    if (!outcome) return 'waiting';
    const { seq, status, text } = outcome;
    if (this.holds(seq)) return `${status} ${text}`;
    const at = this.kept.findIndex(({ line }) => line[1] === id);
    if (at < 0) return 'not_kept';
    return `${status} ${text}`;
  }
}
