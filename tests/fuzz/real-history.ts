import { pairs } from '../../packages/store/dist/script/reply.js';
import type { AppendReply } from '../../packages/store/dist/script/scripts-inbox.js';
import { earlierMessageOf } from '../../packages/store/dist/session/earlier-message.js';
import { decodeHistory } from '../../packages/store/dist/session/history-line.js';
import type { HistoryLimits, ModelLine } from './history-model.js';
import type { ModelEvent } from './model-state.js';

type Event = readonly [string, readonly string[]];

/** A session's texts, as Redis stores them. */
export type Stored = {
  /** The whole log. */
  readonly log: readonly Event[];
  /** The list of the history, as it stands in Redis. */
  readonly raw: readonly string[];
  /** As the script reads it. */
  readonly read: readonly string[];
  /** Fields of the state; undefined: the session has ended. */
  readonly bytes:
    | { readonly history: number; readonly own: number; readonly low: number }
    | undefined;
};

const sum = (numbers: readonly number[]) => numbers.reduce((total, it) => total + it, 0);
const sizeOf = (text: string) => Buffer.byteLength(text);
const seqOf = ([id]: Event) => Number.parseInt(id, 10);

/** The history as its readers see it. Throws when a limit is passed, or a counter for one is wrong. */
export function historyOf({ log, raw, read, bytes }: Stored, limits: HistoryLimits): ModelLine[] {
  const named = (line: string) => /^[ua]\d+ \d+$/.test(line);
  const counted = raw.map((line) => Number(/^[ua]\d+ (\d+)/.exec(line)?.[1] ?? sizeOf(line)));
  expectBounded(log, limits);
  if (bytes) {
    expectSame('bytes of the history', bytes.history, sum(counted));
    expectSame(
      'bytes that only it has',
      bytes.own,
      sum(counted.filter((_, at) => !named(raw[at] ?? ''))),
    );
    if (log[0]) expectSame('the oldest event', bytes.low, seqOf(log[0]));
  }
  return read.map((line) => {
    const { role, message_id: id = '', content } = decodeHistory(line);
    return [role === 'user' ? 'user' : 'assistant', id, String(content)];
  });
}

function expectBounded(log: readonly Event[], { maxEvents, maxLogBytes }: HistoryLimits): void {
  if (log.length * 8 > maxEvents * 9) throw new Error(`B1: ${log.length} events`);
  const size = sum(log.flatMap(([, fields]) => fields.slice(4).map(sizeOf)));
  if (log.length > 1 && size > maxLogBytes) throw new Error(`B1: a log of ${size} bytes`);
}

function expectSame(what: string, said: number, found: number): void {
  if (said !== found) throw new Error(`${what}: ${said} is said, ${found} found`);
}

/** What a repeat of a message gets, in the words of the model. */
export function repeated(reply: AppendReply & { kind: 'duplicate' }, messageId: string): string {
  const { outcome } = earlierMessageOf(reply, messageId);
  return typeof outcome === 'string' ? outcome : `${outcome.status} ${outcome.content}`;
}

/** Fields that the log leaves out have their usual values. */
export function eventOf(flat: readonly string[]): ModelEvent {
  const { t = '', m = '', s = 'ok', r = '' } = pairs(flat);
  if (t === 'e') return ['e'];
  return t === 'f' ? ['f', m, s, r] : [t, m];
}

/** -2 stands for a key that is not there, -1 for one that has no expiry. */
export function expiresWhole(times: readonly number[]): boolean {
  const [at = -2, ...others] = new Set(times.filter((time) => time !== -2));
  if (others.length > 0) throw new Error(`C4: expires in parts, ${times}`);
  return at > 0;
}
