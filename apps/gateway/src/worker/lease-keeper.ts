import { type Logger, monotonicMs } from '@sluice/runtime';
import type { Claim, Lease, Leases } from '@sluice/store';

/** A third of the TTL, at the latest every 2 s (L1). */
export function renewIntervalMs(ttlMs: number): number {
  return Math.min(ttlMs / 3, 2_000);
}

/** A renewal that failed is tried again so soon: what is left of the TTL may hold several tries. */
const RETRY_MS = 100;

/** Share of the TTL by which a holder stops before Redis would let it (timers may be late). */
const SAFETY = 0.1;

export type LeaseKeeper = {
  /** Aborts when the lease is lost or can no longer be trusted (L4). */
  readonly lost: AbortSignal;
  /** Asked at the moment itself: a process that was stopped reads what waits for it before its timers fire. */
  readonly isTrusted: boolean;
  /** Renews now, to learn of an abort for the started head. */
  check(): void;
  /**
   * The lease is being given up: it is renewed no more, and the answer to a renewal under way, which Redis may
   * have met behind the release, says nothing. Its time still runs.
   */
  rest(): void;
  /** It was not given up after all. */
  goOn(): void;
  /** The lease was refused by Redis, or given up: nothing is written under it any more. */
  stop(): void;
};

type KeeperOptions = {
  readonly ttlMs: number;
  readonly log: Logger;
  /** The lease is lost before it was given up, and the session was not ended. */
  onLost(): void;
  /** An abort was promised for the head that is started now. */
  onAbort(reason: string): void;
  /** The inbox is not empty: a wake may have been lost. */
  onWaits(): void;
};

/** Renews a lease until it is stopped; judges its own time with the monotonic clock (L4). */
export function keepLease(
  leases: Leases,
  held: { lease: Lease; claim: Claim },
  { ttlMs, log, onLost, onAbort, onWaits }: KeeperOptions,
): LeaseKeeper {
  const { lease } = held;
  const lost = new AbortController();
  let { lock, deadlineMs } = held.claim;
  let stopped = false;
  let resting = false;
  let renewing = false;
  let again = false;
  let retry: NodeJS.Timeout | undefined;

  function lose(why: 'fenced' | 'session ended' | 'not renewed in time') {
    if (stopped) return;
    stop();
    const { id: session, fence } = lease;
    if (why === 'session ended') log.debug({ session, fence }, 'session ended under its holder');
    else {
      onLost();
      log.warn({ session, fence, why }, 'lease lost');
    }
    lost.abort();
  }

  async function renew() {
    if (stopped || resting) return;
    if (renewing) {
      again = true;
      return;
    }
    renewing = true;
    clearTimeout(retry);
    const before = deadlineMs;
    try {
      const renewed = await leases.renew(lease, { lock, deadlineMs });
      lock = renewed.lock;
      if (renewed.reply.kind === 'fenced') {
        if (resting) return;
        return lose(renewed.reply.isEnded ? 'session ended' : 'fenced');
      }
      deadlineMs = renewed.deadlineMs;
      if (stopped) return;
      if (renewed.reply.abort !== '') onAbort(renewed.reply.abort);
      if (renewed.reply.waits) onWaits();
    } catch (err) {
      log.debug({ err, session: lease.id }, 'lease renewal failed'); // the deadline decides
    } finally {
      renewing = false;
      if (again) {
        again = false;
        void renew();
      } else if (deadlineMs === before && !stopped && !resting) retry = setTimeout(renew, RETRY_MS);
    }
  }

  const trustedForMs = () => deadlineMs - ttlMs * SAFETY - monotonicMs();
  const renewal = setInterval(renew, renewIntervalMs(ttlMs));
  let watch = setTimeout(watchDeadline, trustedForMs());
  // Renewals move the deadline on: a watch that comes early waits for the rest.
  function watchDeadline() {
    const leftMs = trustedForMs();
    if (leftMs <= 0) lose('not renewed in time');
    else watch = setTimeout(watchDeadline, leftMs);
  }

  function stop() {
    stopped = true;
    clearInterval(renewal);
    clearTimeout(retry);
    clearTimeout(watch);
  }

  return {
    lost: lost.signal,
    get isTrusted() {
      return !stopped && trustedForMs() > 0;
    },
    check: () => void renew(),
    rest() {
      resting = true;
      clearTimeout(retry);
    },
    goOn() {
      resting = false;
      void renew();
    },
    stop,
  };
}
