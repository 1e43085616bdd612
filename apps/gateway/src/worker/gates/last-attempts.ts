/**
 * Last attempts that run at once on a node. `isolated`: each in a process of its own, but they share the node's memory.
 * `shared`: in the process of the node; if such an attempt ends the node, it ends no other one of its kind (T4).
 */
const MOST = { isolated: 8, shared: 1 } as const;

export type LastAttempts = ReturnType<typeof makeLastAttempts>;

/** Remembers which sessions run the last attempt of a message on this node. */
export function makeLastAttempts() {
  const running = { isolated: new Set<string>(), shared: new Set<string>() };
  return {
    /** False: as many as may are running already. `isolates`: the agent gives the attempt a process of its own. */
    take(id: string, isolates: boolean): boolean {
      const kind = isolates ? 'isolated' : 'shared';
      if (running[kind].size >= MOST[kind]) return false;
      running[kind].add(id);
      return true;
    },
    give(id: string): void {
      running.isolated.delete(id);
      running.shared.delete(id);
    },
  };
}
