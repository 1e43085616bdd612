/** The middle value; of an even number of values the upper of the two. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** Rounds to three digits at least; values above 1 get at most two after the point. */
export function rounded(value: number): number {
  if (Math.abs(value) >= 100) return Math.round(value);
  return Math.abs(value) >= 1 ? Math.round(value * 100) / 100 : Math.round(value * 10_000) / 10_000;
}
