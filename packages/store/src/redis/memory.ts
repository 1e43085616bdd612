/** From this share of `maxmemory` on nothing new is accepted: the rest is for work that was accepted already. */
const FULL_SHARE = 0.9;
/** There is room again only below this share, so that the answer does not flicker. */
const ROOM_SHARE = 0.85;

export type MemoryWatch = {
  /** True: no message and no session may be added. Commits, aborts and a drain need what is left. */
  isFull(): boolean;
  /** Judges by the text of `INFO memory` of a server; '': the one. A server that is gone is forgotten. */
  look(info: string, server?: string): void;
  forget(server: string): void;
};

/** A number of `INFO memory`, in bytes; 0 when it is not there. */
export const memoryNumber = (info: string, name: string) =>
  Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);

/** Whether a node that starts now would accept nothing new; `info` is the text of `INFO`. */
export function isNearlyFull(info: string): boolean {
  const maxBytes = memoryNumber(info, 'maxmemory');
  return maxBytes > 0 && memoryNumber(info, 'used_memory') >= maxBytes * FULL_SHARE;
}

/** Judges how full the fullest server is; without `maxmemory` it is never full. */
export function makeMemoryWatch(
  onChange: (isFull: boolean, memory: { usedBytes: number; maxBytes: number }) => void,
): MemoryWatch {
  const full = new Set<string>();
  return {
    isFull: () => full.size > 0,
    look(info, server = '') {
      const usedBytes = memoryNumber(info, 'used_memory');
      const maxBytes = memoryNumber(info, 'maxmemory');
      const share = full.has(server) ? ROOM_SHARE : FULL_SHARE;
      const isFull = maxBytes > 0 && usedBytes >= maxBytes * share;
      if (isFull === full.has(server)) return;
      if (isFull) full.add(server);
      else full.delete(server);
      // Told when the first one fills up, and when the last one has room again.
      if (full.size === (isFull ? 1 : 0)) onChange(isFull, { usedBytes, maxBytes });
    },
    forget: (server) => void full.delete(server),
  };
}
