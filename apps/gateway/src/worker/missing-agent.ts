import { monotonicMs } from '@sluice/runtime';

/** So long a session waits for a node that has its agent; then its message ends with an error. */
const GIVE_UP_MS = 30_000;
const TRACKED_MAX = 10_000;

/** Remembers since when rings for agents that this node lacks have been going round. */
export function makeMissingAgents() {
  const since = new Map<string, number>();
  return {
    /** True once nobody came to have the agent for too long. */
    giveUp(id: string): boolean {
      const first = since.get(id);
      if (first === undefined) {
        if (since.size >= TRACKED_MAX) since.clear();
        since.set(id, monotonicMs());
        return false;
      }
      return monotonicMs() - first > GIVE_UP_MS;
    },
    forget: (id: string) => since.delete(id),
  };
}
