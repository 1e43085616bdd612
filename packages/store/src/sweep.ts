import { makeId } from '@sluice/runtime';
import type { Connection } from './connect.js';
import type { Keys } from './keys.js';
import * as scripts from './scripts.js';

export type Sweep = ReturnType<typeof makeSweep>;

export type SweepOptions = { readonly intervalMs: number; readonly resumeWindowMs: number };

/** One look at one partition: rings that are due, SESSION_END records that nobody copied (T7). */
export function makeSweep(connection: Connection, keys: Keys, options: SweepOptions) {
  return (partition: number): Promise<scripts.SweepReply> => {
    const { sessionPrefix, ownedPrefix, ...named } = keys.partition(partition);
    return connection.run(scripts.pendingSweep, named, {
      session_prefix: sessionPrefix,
      owned_prefix: ownedPrefix,
      interval: options.intervalMs,
      resume_window: options.resumeWindowMs,
      call: makeId('sweep'), // made before the first try: a repeat gets the same rings
    });
  };
}
