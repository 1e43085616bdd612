import type { Agent } from '@sluice/agents';
import type { OutcomeStatus } from '@sluice/protocol';
import {
  type CountBy,
  type Logger,
  monotonicMs,
  type seldom,
  sleep,
  type WorkerMetrics,
} from '@sluice/runtime';
import {
  type Damage,
  type Keys,
  type Leases,
  type Rings,
  type SessionEnds,
  StoreUnavailable,
} from '@sluice/store';
import type { Tracing } from '../tracing.js';
import type { DeltaPace } from './delta-pace.js';
import type { HistoryRoom } from './held-history.js';
import type { HeldSession } from './held-session.js';
import type { LastAttempts } from './last-attempts.js';
import type { Lingering } from './lingering.js';
import type { TurnPermits } from './permits.js';
import type { Releases } from './releases.js';
import type { Renewals } from './renewals.js';
import type { Slots } from './slots.js';

export type WorkerLimits = {
  readonly leaseTtlMs: number;
  readonly lingerMs: number;
  readonly maxLingering: number;
  readonly leaseMaxAgeMs: number;
  readonly maxHeldHistoryBytes: number;
  readonly perTurnTimeoutMs: number;
  readonly maxMessages: number;
  readonly maxLogBytes: number;
  readonly maxTurnsPerLease: number;
  readonly deltaIntervalMs: number;
};

/**
 * `hand_over`: others are alive and go on; `sole`: nobody else is known to be, so the sessions that
 * this node holds are drained (D2). Neither starts a ring (D1).
 */
export type WorkerPhase = 'running' | 'hand_over' | 'sole';

/** What this room counts and measures. */
export type WorkerCounts = WorkerMetrics<OutcomeStatus> & {
  readonly sessionEnd: CountBy<'drain_timeout'>;
};

/** What the files of this room share. */
export type WorkerContext = {
  readonly leases: Leases;
  readonly renewals: Renewals;
  readonly releases: Releases;
  readonly rings: Rings;
  readonly ends: SessionEnds;
  readonly keys: Keys;
  readonly agents: ReadonlyMap<string, Agent>;
  readonly limits: WorkerLimits;
  readonly metrics: WorkerCounts;
  readonly log: Logger;
  readonly slots: Slots;
  /** Takes one of the slots that other workers with this agent had free of late; false: there is none. */
  takeRoomElsewhere(agent: string): boolean;
  readonly pace: DeltaPace;
  readonly permits: TurnPermits;
  readonly lastAttempts: LastAttempts;
  readonly tracing: Tracing;
  readonly damage: Damage;
  /** By agent: when its failures are told next. */
  readonly failing: Map<string, ReturnType<typeof seldom>>;
  /** Sessions whose lease this node has, by id. */
  readonly held: Map<string, HeldSession>;
  readonly lingering: Lingering;
  readonly historyRoom: HistoryRoom;
  phase: WorkerPhase;
};

const RETRY_MS = 100;

/** How long a call is repeated: until the lease is gone, or a time of the monotonic clock has come. */
export type Patience = AbortSignal | { readonly untilMs: number };

/** Repeats a call while Redis is away; undefined when its patience ends first. */
export async function insist<T>(
  call: () => Promise<T>,
  patience: Patience,
): Promise<T | undefined> {
  const signal = 'aborted' in patience ? patience : undefined;
  const isOver = () =>
    'aborted' in patience ? patience.aborted : monotonicMs() > patience.untilMs;
  while (!isOver()) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      await sleep(RETRY_MS, signal);
    }
  }
  return undefined;
}
