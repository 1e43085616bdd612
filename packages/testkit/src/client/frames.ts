/** A server frame as it came; nothing but `type` is checked. */
export type Frame = {
  readonly type: string;
  readonly status?: string;
  readonly session_id?: string;
  readonly message_id?: string;
  readonly cursor?: number;
  readonly seq?: number;
  readonly epoch?: string;
  readonly skipped?: number;
  readonly [field: string]: unknown;
};

/** A predicate, or fields that must be equal (compared as JSON). */
export type FrameMatch = ((frame: Frame) => boolean) | Readonly<Record<string, unknown>>;

export function toPredicate(match: FrameMatch): (frame: Frame) => boolean {
  if (typeof match === 'function') return match;
  const fields = Object.entries(match).map(
    ([name, value]) => [name, JSON.stringify(value)] as const,
  );
  return (frame) => fields.every(([name, value]) => JSON.stringify(frame[name]) === value);
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const isFrame = (value: unknown): value is Frame =>
  isObject(value) && typeof value.type === 'string';

/** Text that is no frame is kept too, under a type that no server sends. */
export function parseFrame(text: string): Frame {
  try {
    const value: unknown = JSON.parse(text);
    if (isFrame(value)) return value;
  } catch {
    // Falls through: no JSON.
  }
  return { type: 'not_a_frame', text };
}

/** Frames whose cursor is the head of the log, not a position of their own. */
const greetings = new Set(['hello_ok', 'joined', 'snapshot']);

/**
 * The event of the log that a frame carries, live or replayed; undefined if it carries none. The fields for
 * this connection only (`skipped`, `epoch`) stand beside a replayed event and are put into it.
 */
export function loggedFrame(frame: Frame): Frame | undefined {
  if (frame.type === 'replay') {
    const data = isObject(frame.event) ? frame.event.data : undefined;
    if (!isFrame(data)) return undefined;
    const { skipped, epoch } = frame;
    return { ...data, ...(skipped === undefined ? {} : { skipped }), ...(epoch ? { epoch } : {}) };
  }
  return typeof frame.cursor === 'number' && !greetings.has(frame.type) ? frame : undefined;
}

/** One line for each hole, double or step back in a connection's view of the log. */
export function gaps(frames: readonly Frame[], since = 0): string[] {
  const faults: string[] = [];
  let last = since;
  for (const { cursor, skipped = 0, type } of frames) {
    const expected = last + 1 + skipped;
    if (cursor !== expected)
      faults.push(`${type}: cursor ${cursor} after ${last}, not ${expected}`);
    last = cursor ?? last;
  }
  return faults;
}

/**
 * What a careful client shows of each message while it is streamed: its deltas joined, without those that
 * `retry_stream` has made void.
 */
export function streamedTexts(frames: readonly Frame[]): Map<string, string> {
  const texts = new Map<string, string>();
  for (const { type, data } of frames) {
    if (!isObject(data) || typeof data.message_id !== 'string') continue;
    if (type === 'retry_stream') texts.delete(data.message_id);
    if (type !== 'token_stream') continue;
    texts.set(data.message_id, (texts.get(data.message_id) ?? '') + String(data.content));
  }
  return texts;
}
