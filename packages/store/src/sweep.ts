import type { Connection } from './connect.js';
import type { Keys } from './keys.js';
import * as scripts from './scripts.js';

export type Sweep = ReturnType<typeof makeSweep>;

/** One look at one partition: rings that are due, SESSION_END records that nobody copied (T7). */
export function makeSweep(connection: Connection, keys: Keys, intervalMs: number) {
  return (partition: number): Promise<scripts.SweepReply> => {
    const { pending, swept, ends, sessionPrefix } = keys.partition(partition);
    return connection.run(
      scripts.pendingSweep,
      { pending, swept, ends },
      { session_prefix: sessionPrefix, interval: intervalMs },
    );
  };
}
