import { isAscii } from 'node:buffer';
import {
  checked,
  type Mode,
  type OutcomeStatus,
  type SessionEndData,
  type StreamType,
  sessionEndDataSchema,
} from '@sluice/protocol';
import { assert } from '@sluice/runtime';
import { jsonObject } from '../keys/damage.js';
import type { Keys } from '../keys/keys.js';
import type { Connection } from '../redis/connect.js';
import * as scripts from '../script/scripts-session.js';

/** An event of the log. It is no frame: the edge builds that, once per node. */
export type LogEvent = { readonly seq: number; readonly epoch: string; readonly atMs: number } & (
  | {
      readonly kind: 'accepted';
      readonly messageId: string;
      readonly position: number;
      /** The session, or its agent, was paused. */
      readonly isPaused: boolean;
      /** What was sent, as JSON (`decodeInput`); undefined: the log does not have it. */
      readonly body?: string;
      readonly mode?: Mode;
    }
  | {
      readonly kind: 'final';
      readonly messageId: string;
      readonly position: number;
      readonly turnId: string;
      readonly attempt: number;
      readonly status: OutcomeStatus;
      readonly reason: string;
      readonly content: string;
      /** JSON; '' when the agent named none. */
      readonly usage: string;
      readonly mergedInto: string;
    }
  | {
      readonly kind: 'stream';
      readonly type: StreamType;
      readonly messageId: string;
      readonly turnId: string;
      readonly attempt: number;
      /** JSON of what `data` carries beside the ids; '' for none. */
      readonly data: string;
    }
  | { readonly kind: 'session_end'; readonly data: SessionEndData }
);

/**
 * An entry that this release cannot read: a newer one wrote it, or it is damaged. Readers step over it, so that
 * later events keep their seq (E1).
 */
export type OpaqueEvent = Position & { readonly kind: 'opaque' };
export type LoggedEvent = LogEvent | OpaqueEvent;

/** Letters of the `t` field in the log, by stream type. `a`, `f`, `e` are the other kinds. */
const letterByType: Record<StreamType, string> = {
  token_stream: 'd',
  reasoning_stream: 'g',
  tool_call_stream: 'c',
  tool_progress_stream: 'o',
  tool_result_stream: 'l',
  stream_error: 'x',
  retry_stream: 'r',
  stream_end: 'n',
};
const typeByLetter = new Map(
  Object.entries(letterByType).map(([type, t]) => [t, type as StreamType]),
);

/** A stream event as `events-append` and `turn-commit` take it; the scripts add turn and attempt. */
export function streamFields(type: StreamType, messageId: string, data?: object): string[] {
  const fields = ['t', letterByType[type], 'm', messageId];
  return data === undefined ? fields : [...fields, 'd', JSON.stringify(data)];
}

type Position = { readonly seq: number; readonly epoch: string; readonly atMs: number };

/** Fields of one event, by their names in the log. All objects have one shape, so that reading is quick. */
class Fields {
  t = '';
  m = '';
  p = '0';
  w = '';
  c: string | undefined;
  o = 'enqueue';
  d = '';
  u = '';
  a: string | undefined;
  s = 'ok';
  r = '';
  g = '';
  i = '';

  set(name: string, value: string): void {
    switch (name) {
      case 't':
      case 'm':
      case 'p':
      case 'w':
      case 'c':
      case 'o':
      case 'd':
      case 'u':
      case 'a':
      case 's':
      case 'r':
      case 'g':
      case 'i':
        this[name] = value;
    }
  }
}

function decodeFields(f: Fields, { seq, epoch, atMs }: Position): LoggedEvent {
  const messageId = f.m;
  if (f.t === 'a') {
    const position = Number(f.p);
    const isPaused = f.w === '1';
    const kind = 'accepted';
    if (f.c === undefined) return { seq, epoch, atMs, kind, messageId, position, isPaused };
    const [body, mode] = [f.c, f.o as Mode];
    return { seq, epoch, atMs, kind, messageId, position, isPaused, body, mode };
  }
  if (f.t === 'e') {
    const data = checked(sessionEndDataSchema, jsonObject(f.d));
    return data.success
      ? { seq, epoch, atMs, kind: 'session_end', data: data.data }
      : { seq, epoch, atMs, kind: 'opaque' };
  }
  const turnId = f.u;
  const attempt = Number(f.a ?? (turnId === '' ? 0 : 1));
  if (f.t === 'f') {
    return {
      ...{ seq, epoch, atMs, kind: 'final' },
      ...{ messageId, turnId, attempt, position: Number(f.p) },
      ...{ status: f.s as OutcomeStatus, reason: f.r },
      ...{ content: f.c ?? '', usage: f.g, mergedInto: f.i },
    };
  }
  const type = typeByLetter.get(f.t);
  if (!type) return { seq, epoch, atMs, kind: 'opaque' };
  return { seq, epoch, atMs, kind: 'stream', type, messageId, turnId, attempt, data: f.d };
}

/** `<epoch> <seq> <ms> <bytes of each field and value, in order>`, a line break, and those bytes. */
const RECORD_HEAD = /(\d+) (\d+) (\d+) (\d+,\d+(?:,\d+,\d+)*)\n/y;

/**
 * Decodes a payload of a session's channel: a record for each event that one script logged. Events that `isKnown`
 * are left out, unread. undefined: it is something else, and only the log can tell what happened.
 */
export function decodePublished(
  payload: Buffer,
  isKnown: (position: Position) => boolean = () => false,
): LoggedEvent[] | undefined {
  const chars = payload.toString('latin1'); // one character for each byte
  const isPlain = isAscii(payload);
  const events: LoggedEvent[] = [];
  for (let at = 0; at === 0 || at < payload.length; ) {
    RECORD_HEAD.lastIndex = at;
    const head = RECORD_HEAD.exec(chars);
    if (!head) return undefined;
    const position = positionOf(head);
    const isWanted = !isKnown(position);
    const fields = new Fields();
    let name = '';
    let isName = true;
    at += head[0].length;
    for (const bytes of head[4]?.split(',') ?? []) {
      const end = at + Number(bytes);
      if (isWanted) {
        const text = isPlain ? chars.slice(at, end) : payload.toString('utf8', at, end);
        if (isName) name = text;
        else fields.set(name, text);
        isName = !isName;
      }
      at = end;
    }
    if (at > payload.length) return undefined;
    if (isWanted) events.push(decodeFields(fields, position));
  }
  return events;
}

/** Decodes records as scripts read them from the log; an empty buffer has no events. Throws when they are damaged. */
export function decodeRecords(records: Buffer): LoggedEvent[] {
  const events = records.length === 0 ? [] : decodePublished(records);
  assert(events, 'a page of the log is no records');
  return events;
}

const positionOf = ([, epoch = '', seq, ms]: RegExpExecArray): Position => ({
  epoch,
  seq: Number(seq),
  atMs: Number(ms),
});

export type LogPage = {
  readonly epoch: string;
  /** Seq of the newest event. */
  readonly head: number;
  /** The epoch before this one, '' if there is none, and the seq up to which both are the same log. */
  readonly epochBefore: string;
  readonly epochFrom: number;
  readonly events: readonly LoggedEvent[];
  /** Bytes of the events, as the log holds them. */
  readonly bytes: number;
};

/** Events after seq `after`: at most `count`, and at most 1 MiB unless the first one alone is larger. */
export type LogRange = { readonly after: number; readonly count: number };

const PAGE_BYTES = 2 ** 20;

/** Reads a page of the log; undefined: the session is gone. Throws StoreUnavailable. */
export async function readLog(
  connection: Connection,
  keys: Keys,
  { id, after, count }: LogRange & { readonly id: string },
): Promise<LogPage | undefined> {
  const range = { after, count, max_bytes: PAGE_BYTES };
  const page = await connection.run(scripts.logRead, keys.session(id), range);
  if (!page) return undefined;
  return { ...page, events: decodeRecords(page.events) };
}
