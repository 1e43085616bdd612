/** One Redis that can be stopped, started again with its data, killed and paused. */
export type RedisBackend = {
  readonly port: number;
  /** Ends it with SIGTERM (it saves) or SIGKILL; resolves when it has ended. */
  stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Starts it again on the same port and the same data. */
  start(): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Ends it and deletes its data. */
  remove(): Promise<void>;
};

/** Every write is on disk before its reply, and nothing is ever evicted. */
export const redisArguments = (extra: readonly string[] = []): string[] => [
  ...['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''],
  ...['--maxmemory-policy', 'noeviction'],
  ...extra,
];
