/** So much of a line that is too long is kept to find whose it is. */
const SAMPLE_CHARS = 1_024;

export type Line =
  | { readonly kind: 'line'; readonly text: string }
  /** Too long to be kept: how it begins, and how long it is so far. */
  | { readonly kind: 'too_long'; readonly start: string; readonly chars: number };

/**
 * Cuts the output of a process into lines. One that is longer than `maxChars` is told once and skipped to its
 * end, so that it takes no memory and harms no line behind it. Empty lines mean nothing.
 */
export function outputLines(maxChars: number): (chunk: string) => Line[] {
  let rest = '';
  let isSkipping = false;
  return (chunk) => {
    const parts = chunk.split('\n');
    const lines: Line[] = [];
    for (const [at, part] of parts.entries()) {
      const isEnded = at + 1 < parts.length;
      if (!isSkipping) rest += part;
      if (!isSkipping && rest.length > maxChars) {
        lines.push({ kind: 'too_long', start: rest.slice(0, SAMPLE_CHARS), chars: rest.length });
        isSkipping = true;
      }
      if (!isSkipping && isEnded && rest.trim() !== '') lines.push({ kind: 'line', text: rest });
      if (isEnded || isSkipping) rest = '';
      if (isEnded) isSkipping = false;
    }
    return lines;
  };
}
