/** Turns chunks of text into complete items. */
export type Framer = {
  feed(chunk: string): string[];
  /** Fed last, it completes an item that lacks its end. */
  readonly end: string;
};

/** Items are lines; empty lines are skipped. */
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
