import { type Logger, monotonicMs } from '@sluice/runtime';
import {
  type Damage,
  LEASES_MAX,
  type Lease,
  type ManyLeases,
  type ManyRenewed,
  StoreUnavailable,
} from '@sluice/store';

/** Calls that are under way at once: a slow Redis gets no more of them. */
const CALLS_MAX = 4;
/** Looks within one TTL: a lease is renewed, or given up, at most 1/40 of its TTL late. */
const LOOKS = 40;

/** A lease as its keeper sees it; times are of the monotonic clock. */
export type KeptLease = {
  readonly lease: Lease;
  /** From then on it is renewed with others. */
  readonly dueMs: number;
  /** `dueMs` is never earlier than this, even if its state changes. */
  readonly soonestMs: number;
  readonly trustedUntilMs: number;
  heard(reply: ManyRenewed, deadlineMs: number): void;
  /** Its time is over: it is lost. True: no turn was running, and the log has no line of it yet. */
  late(): boolean;
};

export type Renewals = {
  add(kept: KeptLease, partition: number): void;
  remove(kept: KeptLease, partition: number): void;
  stop(): void;
};

export type RenewalsOptions = {
  readonly manyLeases: Pick<ManyLeases, 'renew'>;
  readonly ttlMs: number;
  readonly damage: Damage;
  readonly log: Logger;
};

/** `quietUntilMs`: no lease of it is due before; a renewal only makes them due later. */
type Partition = { readonly all: Set<KeptLease>; quietUntilMs: number };
type Batch = { readonly partition: number; readonly kept: readonly KeptLease[] };

/**
 * Renews the leases of a node together, those of a partition in one call, and judges their time. One timer for all of
 * them.
 */
export function makeRenewals({ manyLeases, ttlMs, damage, log }: RenewalsOptions): Renewals {
  const partitions = new Map<number, Partition>();
  /** Leases whose renewal waits for its call, or is under way. */
  const asked = new Set<KeptLease>();
  const batches: Batch[] = [];
  let calls = 0;

  function look(): void {
    const nowMs = monotonicMs();
    const late: KeptLease[] = [];
    for (const [number, partition] of partitions) {
      if (nowMs < partition.quietUntilMs) continue;
      let isDue = false;
      let quietUntilMs = Infinity;
      for (const kept of partition.all) {
        quietUntilMs = Math.min(quietUntilMs, kept.soonestMs);
        if (nowMs >= kept.trustedUntilMs) {
          if (kept.late()) late.push(kept);
        } else isDue ||= nowMs >= kept.dueMs && !asked.has(kept);
      }
      partition.quietUntilMs = quietUntilMs;
      if (isDue) ask(number, [...partition.all], nowMs);
    }
    if (late.length > 0) tellLate(late);
    send();
  }

  /** Leases that are due soon are renewed too, so that they are due together from then on. */
  function ask(partition: number, all: readonly KeptLease[], nowMs: number): void {
    const due = all.filter((kept) => !asked.has(kept) && nowMs >= kept.dueMs - ttlMs / 6);
    for (const kept of due) asked.add(kept);
    for (let at = 0; at < due.length; at += LEASES_MAX) {
      batches.push({ partition, kept: due.slice(at, at + LEASES_MAX) });
    }
  }

  function send(): void {
    while (calls < CALLS_MAX) {
      const batch = batches.shift();
      if (!batch) return;
      calls += 1;
      renew(batch)
        .catch((err) => {
          if (!(err instanceof StoreUnavailable)) log.error({ err }, 'leases not renewed');
        })
        .finally(() => {
          for (const kept of batch.kept) asked.delete(kept);
          calls -= 1;
          send();
        });
    }
  }

  async function renew({ partition, kept }: Batch): Promise<void> {
    const still = kept.filter((it) => partitions.get(partition)?.all.has(it));
    if (still.length === 0) return;
    const leases = still.map(({ lease }) => lease);
    const { replies, deadlineMs } = await manyLeases.renew(partition, leases);
    for (const [at, it] of still.entries()) {
      const reply = replies[at];
      if (reply?.kind === 'damaged') damage(`session ${it.lease.id}`, { why: reply.why });
      else if (reply) it.heard(reply, deadlineMs);
    }
  }

  function tellLate([first, ...others]: readonly KeptLease[]): void {
    const { id: session, fence } = first?.lease ?? {};
    const leases = 1 + others.length;
    log.warn({ session, fence, why: 'not renewed in time', leases }, 'lease lost');
  }

  const timer = setInterval(look, ttlMs / LOOKS);
  return {
    add(kept, partition) {
      const known = partitions.get(partition) ?? { all: new Set(), quietUntilMs: Infinity };
      known.all.add(kept);
      known.quietUntilMs = Math.min(known.quietUntilMs, kept.soonestMs);
      partitions.set(partition, known);
    },
    remove(kept, partition) {
      const known = partitions.get(partition);
      if (known?.all.delete(kept) && known.all.size === 0) partitions.delete(partition);
    },
    stop: () => clearInterval(timer),
  };
}
