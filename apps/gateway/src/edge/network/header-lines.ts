/** Headers that may come in several lines, which mean the same as one line with commas (RFC 9110, 5.3). */
const lists: ReadonlySet<string> = new Set(['sec-websocket-protocol', 'x-forwarded-for']);
/** Headers that decide where a request ends, whose it is, or who may send it. */
const single: ReadonlySet<string> = new Set([
  'content-length',
  'transfer-encoding',
  'host',
  'origin',
  'authorization',
]);

export type HeaderLines = {
  /** By name in lower case. Of a header that is no list the first line counts. */
  readonly headers: ReadonlyMap<string, string>;
  /**
   * A header of `single` that came in two lines that differ. A proxy may go by the other line, so such a request cannot
   * be answered (RFC 9112, 6.3).
   */
  readonly contradiction: string | undefined;
};

/** `forEach` goes over all lines, in order. */
export function readHeaderLines(
  forEach: (line: (name: string, value: string) => void) => void,
): HeaderLines {
  const headers = new Map<string, string>();
  let contradiction: string | undefined;
  forEach((name, value) => {
    const before = headers.get(name);
    if (before === undefined) headers.set(name, value);
    else if (lists.has(name)) headers.set(name, `${before},${value}`);
    else if (single.has(name) && before !== value) contradiction ??= name;
  });
  return { headers, contradiction };
}
