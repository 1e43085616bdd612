import { LEASES_MAX, type Lease, type LeaseReleased, type ManyLeases } from '@sluice/store';

/** Calls that are under way at once. */
const CALLS_MAX = 4;

export type Releases = {
  /** Gives an idle lease up unless something waits. Rejects when Redis is away. */
  release(lease: Lease): Promise<LeaseReleased>;
};

type Asked = {
  readonly lease: Lease;
  resolve(reply: LeaseReleased): void;
  reject(error: unknown): void;
};

/** Gives idle leases up, those of one partition in one call: all that came in one round of the event loop. */
export function makeReleases(
  manyLeases: Pick<ManyLeases, 'release'>,
  partitionOf: (id: string) => number,
): Releases {
  const waiting = new Map<number, Asked[]>();
  let calls = 0;

  function send(): void {
    for (const [partition, asked] of waiting) {
      if (calls >= CALLS_MAX) return;
      const batch = asked.splice(0, LEASES_MAX);
      waiting.delete(partition);
      if (asked.length > 0) waiting.set(partition, asked); // after the other partitions
      calls += 1;
      void give(partition, batch).finally(() => {
        calls -= 1;
        send();
      });
    }
  }

  async function give(partition: number, batch: readonly Asked[]): Promise<void> {
    try {
      const leases = batch.map(({ lease }) => lease);
      const replies = await manyLeases.release(partition, leases);
      for (const [at, { resolve }] of batch.entries()) resolve(replies[at] ?? { kind: 'fenced' });
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  return {
    release: (lease) =>
      new Promise((resolve, reject) => {
        if (waiting.size === 0) setImmediate(send);
        const partition = partitionOf(lease.id);
        const asked = waiting.get(partition) ?? [];
        asked.push({ lease, resolve, reject });
        waiting.set(partition, asked);
      }),
  };
}
