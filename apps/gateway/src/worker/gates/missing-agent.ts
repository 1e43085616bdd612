import { monotonicMs } from '@sluice/runtime';

/** So long a session waits for a node that has its agent; then its message ends with an error. */
const GIVE_UP_MS = 30_000;
const TRACKED_MAX = 10_000;

/** Remembers since when rings for agents that no node has have been going round. */
export function makeMissingAgents(nowMs: () => number = monotonicMs) {
  const rounds = new Map<string, { readonly sinceMs: number; lastMs: number }>();
  return {
    /** True once nobody came to have the agent for too long. */
    giveUp(id: string): boolean {
      const now = nowMs();
      const round = rounds.get(id);
      // A ring that stayed away for so long went to a node that had the agent meanwhile.
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
