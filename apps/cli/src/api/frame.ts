/** A frame as it came: no field is checked yet. */
export type Frame = Readonly<Record<string, unknown>>;

export function isFrame(value: unknown): value is Frame {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** undefined if `text` is no JSON object. */
export function parseFrame(text: string): Frame | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isFrame(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Absent or of another type: ''. */
export function textOf(frame: Frame, key: string): string {
  const value = frame[key];
  return typeof value === 'string' ? value : '';
}

/** Absent or of another type: 0. */
export function numberOf(frame: Frame, key: string): number {
  const value = frame[key];
  return typeof value === 'number' ? value : 0;
}

/** Absent or of another type: {}. */
export function objectOf(frame: Frame, key: string): Frame {
  const value = frame[key];
  return isFrame(value) ? value : {};
}
