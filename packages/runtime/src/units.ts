const durationUnits: Record<string, number> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const byteUnits: Record<string, number> = { '': 1, B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

/** Seconds as a number, or "500ms", "10s", "5m", "24h", "7d" -> milliseconds; undefined: not a duration. */
export function parseDurationMs(value: unknown): number | undefined {
  if (typeof value === 'number')
    return Number.isFinite(value) && value >= 0 ? value * 1_000 : undefined;
  if (typeof value !== 'string') return undefined;
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(value.trim());
  return match ? Number(match[1]) * (durationUnits[match[2] ?? 's'] ?? 0) : undefined;
}

/** Bytes as a number, or "64KiB", "1MiB", "2GiB" -> bytes; undefined: not a size. */
export function parseBytes(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isInteger(value) && value >= 0 ? value : undefined;
  if (typeof value !== 'string') return undefined;
  const match = /^(\d+)\s*(B|KiB|MiB|GiB)?$/.exec(value.trim());
  return match ? Number(match[1]) * (byteUnits[match[2] ?? ''] ?? 0) : undefined;
}
