import type { Redis, RedisOptions } from 'ioredis';

export type StartRedisOptions = {
  /** More arguments for redis-server; a later one wins over ours. */
  readonly args?: readonly string[];
  /** Use this program of the machine and print nothing; default: the engine that was chosen for the whole run. */
  readonly server?: string;
  /** Runs on this machine, never in a container, so that `moveClock` works. Needs `canMoveClocks()`. */
  readonly movableClock?: boolean;
};

/** A real Redis for one test file. */
export type TestRedis = {
  readonly url: string;
  readonly port: number;
  /** A new connection; `stop` closes it. */
  client(options?: RedisOptions): Redis;
  /** SIGTERM, then a new process on the same port and data. */
  restart(): Promise<void>;
  /** SIGTERM and no new process, until `start`. */
  shutdown(): Promise<void>;
  /** SIGKILL and no new process, until `start`. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers, until `resume`. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /**
   * Sets the clock of this Redis to the machine's plus `offsetMs` (-90_000: 90 s behind), while it runs or
   * between `shutdown` and `start`; restarts keep the offset. The monotonic clock stays right, as on a machine
   * whose time is set. It takes effect at once in TIME, in the clock of scripts and in every expiry.
   * Throws without `movableClock`.
   */
  moveClock(offsetMs: number): void;
  stop(): Promise<void>;
};
