/** How far a pass is; its numbers only grow. */
export type Progress = {
  /** Sessions listed at the source when the pass began; others may come. */
  listed: number;
  /** Sessions looked at. */
  sessions: number;
  /** Copied, or, in a dry run, that would be. */
  copied: number;
  same: number;
  /** They changed at each try; the last pass copies them. */
  busy: number;
  /** Expired, or ended, before they were reached. */
  gone: number;
  /** Still held by a node that died; waited for. */
  held: number;
  bytes: number;
  letters: number;
  ends: number;
  /** Sessions with a key of another type: nothing can read them, and they stay where they are. */
  damaged: string[];
  /** What a comparison found, `<what> <id>` each. */
  differences: string[];
};

/** Most differences that are named. */
const NAMED_MAX = 100;

export const newProgress = (): Progress => ({
  ...{ listed: 0, sessions: 0, copied: 0, same: 0, busy: 0, gone: 0, held: 0, bytes: 0 },
  ...{ letters: 0, ends: 0, damaged: [], differences: [] },
});

export function differs(progress: Progress, text: string): void {
  if (progress.differences.length < NAMED_MAX) progress.differences.push(text);
}

/** Notes a session whose keys cannot be read, and throws any other error. */
export function setAside(progress: Progress, id: string, error: unknown): void {
  const isDamaged = error instanceof Error && /WRONGTYPE|holds a \w+ in place/.test(error.message);
  if (!isDamaged) throw error;
  if (progress.damaged.length < NAMED_MAX) progress.damaged.push(id);
}
