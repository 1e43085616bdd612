/** Turns chunks of text into complete items. */
export type Framer = {
  feed(chunk: string): string[];
  /** What ends the last item. */
  readonly end: string;
};

/** Items are lines; empty ones mean nothing. */
export function lineFramer(): Framer {
  let rest = '';
  return {
    end: '\n',
    feed: (chunk) => {
      if (!chunk.includes('\n')) {
        rest += chunk;
        return [];
      }
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      return lines.filter((line) => line.trim() !== '');
    },
  };
}
