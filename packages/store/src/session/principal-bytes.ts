import { monotonicMs } from '@sluice/runtime';
import type { Keys } from '../keys/keys.js';
import type { Connection } from '../redis/connect.js';
import * as scripts from '../script/scripts.js';

/** Estimate: a message is in the inbox and the log, its reply in the log; the history has only what these drop. */
const COPIES = 3;
/** What the events of a message and an ordinary reply take, whatever its size. */
const MESSAGE_BYTES = 16 * 1024;
/** Share of the limit that may come in between two measurements. */
const UNMEASURED_SHARE = 1 / 16;
/** How often a principal that is at its limit is measured again. */
const FULL_KEPT_MS = 1_000;
/** Most principals that are counted; then the one that was counted first is forgotten. */
const PRINCIPALS_MAX = 10_000;

type Counted = {
  measuredBytes: number;
  /** Estimate of what was accepted here since the measurement. */
  addedBytes: number;
  measuredMs: number;
  measuring: Promise<void> | undefined;
};

export type PrincipalBytes = ReturnType<typeof makePrincipalBytes>;

/**
 * Limits what a principal keeps in Redis. Its sessions are measured only when enough has come in since the last
 * time: a small principal is never measured. A limit holds within a sixteenth, and the replies under way.
 */
export function makePrincipalBytes(
  connection: Connection,
  keys: Keys,
  { maxBytes, liveNodes }: { maxBytes: number; liveNodes(): number },
) {
  const byPrincipal = new Map<string, Counted>();

  async function measure(principal: string): Promise<number> {
    const partitions = Array.from({ length: keys.partitions }, (_, partition) => partition);
    const measured = partitions.map((partition) => measureIn(partition, principal));
    return (await Promise.all(measured)).reduce((sum, bytes) => sum + bytes, 0);
  }

  /** Bytes of a principal in one partition. Changes nothing. */
  function measureIn(partition: number, principal: string): Promise<number> {
    const owned = keys.sessionsIn(partition, principal);
    const { sessionPrefix: session_prefix } = keys.partition(partition);
    return connection.run(scripts.bytesMeasure, { owned }, { session_prefix });
  }

  function isDue({ measuredBytes, addedBytes, measuredMs }: Counted): boolean {
    if (measuredBytes >= maxBytes) return monotonicMs() - measuredMs >= FULL_KEPT_MS;
    const room = Math.min(maxBytes * UNMEASURED_SHARE, (maxBytes - measuredBytes) / 2);
    return addedBytes * Math.max(1, liveNodes()) >= room;
  }

  async function remeasure(principal: string, counted: Counted): Promise<void> {
    counted.measuredBytes = await measure(principal);
    counted.addedBytes = 0;
    counted.measuredMs = monotonicMs();
  }

  function countedOf(principal: string): Counted {
    const known = byPrincipal.get(principal);
    if (known) return known;
    const fresh = { measuredBytes: 0, addedBytes: 0, measuredMs: 0, measuring: undefined };
    byPrincipal.set(principal, fresh);
    const [oldest] = byPrincipal.keys();
    if (byPrincipal.size > PRINCIPALS_MAX && oldest !== undefined) byPrincipal.delete(oldest);
    return fresh;
  }

  return {
    measureIn,
    /** Whether this principal is at its limit; if not, the message counts as accepted. Throws StoreUnavailable. */
    async isFull(principal: string, messageBytes: number): Promise<boolean> {
      if (maxBytes === 0) return false;
      const counted = countedOf(principal);
      if (isDue(counted)) {
        counted.measuring ??= remeasure(principal, counted).finally(() => {
          counted.measuring = undefined;
        });
        await counted.measuring;
      }
      if (counted.measuredBytes >= maxBytes) return true;
      counted.addedBytes += COPIES * messageBytes + MESSAGE_BYTES;
      return false;
    },
  };
}
