import { type Logger, monotonicMs } from '@sluice/runtime';
import type { Claim, Lease, Leases, ManyRenewed } from '@sluice/store';
import type { KeptLease, Renewals } from './renewals.js';

/** A third of the TTL, and at most 2 s, since a renewal also brings the abort of a running turn (L1, T6). */
export function renewIntervalMs(ttlMs: number): number {
  return Math.min(ttlMs / 3, 2_000);
}

/** Pause before a failed renewal is tried again: the rest of the TTL has room for several tries. */
const RETRY_MS = 100;

/** Share of the TTL at whose beginning a holder stops, before its lease ends in Redis (timers may be late). */
const SAFETY = 0.1;

/** Share of the TTL at whose beginning an idle lease is given up whose quorum has no majority: there is time to. */
const GIVE_UP = 0.3;

export type LeaseKeeper = {
  /** Aborts when the lease is lost or can no longer be trusted (L4). */
  readonly lost: AbortSignal;
  /** It is lost since it was not renewed in time: in Redis it may still be this holder's. */
  readonly isLate: boolean;
  /** Whether the lease is trusted at this moment. After a stall a process reads replies before its timers fire. */
  readonly isTrusted: boolean;
  /** Renews now: the reply has an abort of the started head, or says that the session has ended. */
  check(): void;
  /** No turn runs: the lease has no timer of its own, and is renewed together with others. */
  idle(): void;
  /** A turn runs again. */
  run(): void;
  /**
   * The lease is being given up: it is not renewed any more. The answer to a renewal under way is ignored, because
   * Redis may have got it after the release. The time of the lease still runs.
   */
  rest(): void;
  /** The lease was not given up after all: it is renewed again. */
  goOn(): void;
  /** The lease was refused by Redis, or given up: nothing is written under it any more. */
  stop(): void;
};

export type KeeperOptions = {
  readonly leases: Pick<Leases, 'renew'>;
  readonly renewals: Renewals;
  readonly partition: number;
  readonly ttlMs: number;
  readonly log: Logger;
  /** The lease was lost before it was given up, and not because the session ended. */
  onLost(): void;
  /** An abort was promised for the head that is started now. */
  onAbort(reason: string): void;
  /** The inbox is not empty: a wake may have been lost. */
  onWaits(): void;
  /** The Redlock of the lease is gone, and cannot come back. */
  onUnlocked(): void;
};

type Why = 'fenced' | 'session ended' | 'not renewed in time';

/** Renews a lease until `stop`, and judges its time with the monotonic clock (L4). */
export function keepLease(
  { lease, claim }: { lease: Lease; claim: Claim },
  options: KeeperOptions,
): LeaseKeeper {
  const { renewals, partition, ttlMs, log } = options;
  const lost = new AbortController();
  let { deadlineMs } = claim;
  let state: 'idle' | 'running' | 'stopped' = 'running';
  let resting = false;
  let renewing = false;
  let isLate = false;
  let again = false;
  let retry: NodeJS.Timeout | undefined;
  let renewal: NodeJS.Timeout | undefined;

  function lose(why: Why, isTold = true) {
    if (state === 'stopped') return;
    stop();
    isLate = why === 'not renewed in time';
    const { id: session, fence } = lease;
    if (why === 'session ended') log.debug({ session, fence }, 'session ended under its holder');
    else {
      options.onLost();
      if (isTold) log.warn({ session, fence, why }, 'lease lost');
    }
    lost.abort();
  }

  const isLeft = () => state === 'stopped' || resting;

  async function renew() {
    if (isLeft()) return;
    if (renewing) {
      again = true;
      return;
    }
    renewing = true;
    clearTimeout(retry);
    const before = deadlineMs;
    try {
      const { reply, deadlineMs: untilMs } = await options.leases.renew(lease, deadlineMs);
      if (isLeft()) return;
      if (reply.kind === 'fenced') return lose(reply.isEnded ? 'session ended' : 'fenced');
      deadlineMs = Math.max(deadlineMs, untilMs);
      if (reply.abort !== '') options.onAbort(reply.abort);
      if (reply.waits) options.onWaits();
    } catch (err) {
      log.debug({ err, session: lease.id }, 'lease renewal failed'); // the deadline decides
    } finally {
      renewing = false;
      if (again) {
        again = false;
        void renew();
      } else if (deadlineMs === before && state === 'running' && !resting) {
        retry = setTimeout(renew, RETRY_MS);
      }
    }
  }

  function heard(reply: ManyRenewed, untilMs: number) {
    if (isLeft()) return;
    if (reply.kind === 'fenced') return lose(reply.isEnded ? 'session ended' : 'fenced');
    if (reply.kind === 'unlocked') return options.onUnlocked();
    if (reply.kind === 'unreached') {
      if (monotonicMs() >= deadlineMs - ttlMs * GIVE_UP) options.onUnlocked();
      return;
    }
    if (reply.kind !== 'renewed') return;
    deadlineMs = Math.max(deadlineMs, untilMs);
    if (reply.abort !== '') void renew(); // the reply to its own call brings the abort, if it still counts
    if (reply.waits) options.onWaits();
  }

  const kept: KeptLease = {
    lease,
    // While a turn runs, `renewal` renews the lease. If that fails, it joins the others after half of the TTL.
    get dueMs() {
      return resting || renewing ? Infinity : deadlineMs - ttlMs / (state === 'idle' ? 1.5 : 2);
    },
    get soonestMs() {
      return deadlineMs - ttlMs / 1.5;
    },
    get trustedUntilMs() {
      return deadlineMs - ttlMs * SAFETY;
    },
    heard,
    late() {
      const wasIdle = state === 'idle';
      lose('not renewed in time', !wasIdle);
      return wasIdle;
    },
  };

  function run() {
    if (state === 'stopped') return;
    state = 'running';
    clearInterval(renewal);
    renewal = setInterval(renew, renewIntervalMs(ttlMs));
  }

  function stop() {
    state = 'stopped';
    clearInterval(renewal);
    clearTimeout(retry);
    renewals.remove(kept, partition);
  }

  renewals.add(kept, partition);
  run();
  return {
    lost: lost.signal,
    get isTrusted() {
      return state !== 'stopped' && monotonicMs() < kept.trustedUntilMs;
    },
    get isLate() {
      return isLate;
    },
    check: () => void renew(),
    run,
    idle() {
      if (state === 'stopped') return;
      state = 'idle';
      clearInterval(renewal);
    },
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
