/**
 * Finds where a value of the Redis protocol (RESP2 and RESP3) ends. Nothing is decoded: the proxy only has
 * to tell one reply from the next.
 */
const cr = 13;

function lineEnd(buffer: Buffer, from: number): number {
  const at = buffer.indexOf(cr, from);
  return at >= 0 && at + 1 < buffer.length ? at + 2 : -1;
}

/** Types with a length in bytes, and types with a number of values inside (a map has two for each). */
const blobs = new Set(['$', '!', '=']);
const lists = new Map([
  ['*', 1],
  ['~', 1],
  ['>', 1],
  ['%', 2],
  ['|', 2],
]);

/** The offset after the value that begins at `from`; -1 when the buffer ends before the value does. */
export function valueEnd(buffer: Buffer, from: number): number {
  let at = from;
  for (let open = 1; open > 0; open -= 1) {
    const line = lineEnd(buffer, at);
    if (line < 0) return -1;
    const type = String.fromCharCode(buffer[at] ?? 0);
    const size = Number(buffer.toString('latin1', at + 1, line - 2));
    at = line;
    if (blobs.has(type) && size >= 0) at += size + 2;
    if (at > buffer.length) return -1;
    const inside = lists.get(type);
    if (inside !== undefined && size > 0) open += size * inside;
    // Attributes stand before the value that they describe.
    if (type === '|') open += 1;
  }
  return at;
}

/** Whether this is a value of RESP3 that answers no request. */
export const isPush = (value: Buffer): boolean => value[0] === 0x3e;

/** Cuts a byte stream into whole values; keeps what is incomplete for the next chunk. */
export class ValueSplitter {
  #rest: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): Buffer[] {
    const buffer = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    const values: Buffer[] = [];
    let from = 0;
    for (let end = valueEnd(buffer, from); end > 0; end = valueEnd(buffer, from)) {
      values.push(buffer.subarray(from, end));
      from = end;
      if (from === buffer.length) break;
    }
    this.#rest = buffer.subarray(from);
    return values;
  }
}

/** A request is an array of bulk strings: its words. */
export function requestWords(value: Buffer): string[] {
  const words: string[] = [];
  let at = lineEnd(value, 0);
  while (at > 0 && at < value.length) {
    const line = lineEnd(value, at);
    const size = Number(value.toString('latin1', at + 1, line - 2));
    words.push(value.toString('utf8', line, line + size));
    at = line + size + 2;
  }
  return words;
}
