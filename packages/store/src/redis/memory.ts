/** From this share of `maxmemory` on nothing new is accepted: the rest is for work that was accepted already. */
const FULL_SHARE = 0.9;
/** There is room again only below this share, so that the answer does not flicker. */
const ROOM_SHARE = 0.85;

export type MemoryWatch = {
  /** True: no message and no session may be added. Commits, aborts and a drain need what is left. */
  isFull(): boolean;
  /** Judges by the text of `INFO memory`. */
  look(info: string): void;
};

/** A number of `INFO memory`, in bytes; 0 when it is not there. */
export const memoryNumber = (info: string, name: string) =>
  Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);

/** Whether a node that starts now would accept nothing new; `info` is the text of `INFO`. */
export function isNearlyFull(info: string): boolean {
  const maxBytes = memoryNumber(info, 'maxmemory');
  return maxBytes > 0 && memoryNumber(info, 'used_memory') >= maxBytes * FULL_SHARE;
}

/** Judges how full Redis is; without `maxmemory` it is never full. */
export function makeMemoryWatch(
  onChange: (isFull: boolean, memory: { usedBytes: number; maxBytes: number }) => void,
): MemoryWatch {
  let full = false;
  return {
    isFull: () => full,
    look(info) {
      const usedBytes = memoryNumber(info, 'used_memory');
      const maxBytes = memoryNumber(info, 'maxmemory');
      const next = maxBytes > 0 && usedBytes >= maxBytes * (full ? ROOM_SHARE : FULL_SHARE);
      if (next === full) return;
      full = next;
      onChange(full, { usedBytes, maxBytes });
    },
  };
}
