/** What the store tells of its calls, by the name of the script or command. */
export type RedisMetrics = {
  answeredMs(call: string, ms: number): void;
  failed(call: string): void;
  /** Redis refused a write since the session had passed to another lease (L3). */
  fenced(call: string): void;
};

/** How the cluster is, as Redis tells it: the same whichever node is asked. */
export type ClusterState = {
  readonly pendingMessages: number;
  readonly pendingSessions: number;
  readonly oldestPendingMs: number;
  readonly nodes: Readonly<Record<'live' | 'draining' | 'silent', number>>;
  readonly liveWorkers: number;
  /** By the name of the consumer group of SESSION_END; without a lag when Redis cannot tell it. */
  readonly groupLag: Readonly<Record<string, number>>;
  readonly groupPending: Readonly<Record<string, number>>;
  readonly deadLetters: number;
  readonly pausedAgents: number;
  readonly memoryBytes: number;
  readonly maxMemoryBytes: number;
};
