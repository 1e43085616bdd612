import { monotonicMs } from '@sluice/runtime';

/** A session waits this long for a node that has its agent; then its message ends with an error. */
const GIVE_UP_MS = 30_000;
const TRACKED_MAX = 10_000;

/** Remembers since when a session's rings have been passed on because no node has its agent. */
export function makeMissingAgents(nowMs: () => number = monotonicMs) {
  const rounds = new Map<string, { readonly sinceMs: number; lastMs: number }>();
  return {
    /** True once no node has had the agent for too long. */
    giveUp(id: string): boolean {
      const now = nowMs();
      const round = rounds.get(id);
      // A ring that has not come here for that long went to a node that had the agent meanwhile.
      if (round === undefined || now - round.lastMs > GIVE_UP_MS) {
        if (rounds.size >= TRACKED_MAX) rounds.clear();
        rounds.set(id, { sinceMs: now, lastMs: now });
        return false;
      }
      round.lastMs = now;
      return now - round.sinceMs > GIVE_UP_MS;
    },
    forget: (id: string) => rounds.delete(id),
  };
}
