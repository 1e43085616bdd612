/**
 * So many last attempts run at once on a node: the processes that they get share its memory. Of agents that
 * give them none only one: should it end the node, it takes no other message's last attempt along (T4).
 */
const MOST = { isolated: 8, shared: 1 } as const;

export type LastAttempts = ReturnType<typeof makeLastAttempts>;

/** Which sessions run the last attempt of a message here. */
export function makeLastAttempts() {
  const running = { isolated: new Set<string>(), shared: new Set<string>() };
  return {
    /** False: others come first. */
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
