/** Kept of a line that is too long, to find the turn that it belongs to. */
const SAMPLE_CHARS = 1_024;

export type Line =
  | { readonly kind: 'line'; readonly text: string }
  /** Too long to be kept: its beginning, and its length so far. */
  | { readonly kind: 'too_long'; readonly start: string; readonly chars: number };

/**
 * Cuts the output of a process into lines. A line longer than `maxChars` is returned once as `too_long` and
 * skipped to its end, so that it takes no memory and harms no later line. Empty lines are skipped.
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
