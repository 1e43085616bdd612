/** Callbacks with which the store reports its calls, each by the name of its script or command. */
export type RedisMetrics = {
  answeredMs(call: string, ms: number): void;
  failed(call: string): void;
  /** Redis refused a write since the session had passed to another lease (L3). */
  fenced(call: string): void;
};

/** State of the cluster, read from Redis: every node reports the same. */
export type ClusterState = {
  readonly pendingMessages: number;
  readonly pendingSessions: number;
  readonly oldestPendingMs: number;
  readonly nodes: Readonly<Record<'live' | 'draining' | 'silent', number>>;
  readonly liveWorkers: number;
  /** By consumer group of SESSION_END; a group whose lag Redis does not know is absent. */
  readonly groupLag: Readonly<Record<string, number>>;
  readonly groupPending: Readonly<Record<string, number>>;
  readonly deadLetters: number;
  readonly pausedAgents: number;
  readonly memoryBytes: number;
  readonly maxMemoryBytes: number;
};
