import type { HistoryMessage } from '@sluice/protocol';

/** The newest messages that fit `bytes` as JSON, separators included; oldest first. */
export function newestWithin(
  history: readonly HistoryMessage[],
  bytes: number,
): readonly HistoryMessage[] {
  let start = history.length;
  let used = 2;
  while (start > 0) {
    used += Buffer.byteLength(JSON.stringify(history[start - 1])) + 1;
    if (used > bytes) break;
    start--;
  }
  return start === 0 ? history : history.slice(start);
}
