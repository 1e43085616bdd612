import type { Agent } from '@sluice/agents';
import type { OutcomeStatus } from '@sluice/protocol';
import type { atMostEvery, Logger } from '@sluice/runtime';
import type { Damage, Keys, Leases, Members, Rings, SessionEnds } from '@sluice/store';
import type { CountBy, WorkerMetrics } from '../../metrics/index.js';
import type { Tracing } from '../../tracing/tracing.js';
import type { DeltaPace } from '../gates/delta-pace.js';
import type { LastAttempts } from '../gates/last-attempts.js';
import type { TurnPermits } from '../gates/permits.js';
import type { Slots } from '../gates/slots.js';
import type { HistoryRoom } from './held-history.js';
import type { HeldSession } from './held-session.js';
import type { Lingering } from './lingering.js';
import type { Releases } from './releases.js';
import type { Renewals } from './renewals.js';

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
 * `running`, or one of the two ways to drain. `hand_over`: other workers are alive and get the sessions. `sole`: none
 * is known to be, so this node runs all turns of the sessions that it holds (D2). Both answer no more rings (D1).
 */
export type WorkerPhase = 'running' | 'hand_over' | 'sole';

/** What this room counts and measures. */
export type WorkerCounts = WorkerMetrics<OutcomeStatus> & {
  readonly sessionEnd: CountBy<'drain_timeout'>;
};

/** What the files of this room share. */
export type WorkerContext = {
  readonly leases: Leases;
  /** The members of the lease quorum; undefined: the Redlocks are in the data Redis. */
  readonly quorum: Members | undefined;
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
  /** Counts on one of the slots that other workers with this agent had free lately; false: there is none. */
  takeRoomElsewhere(agent: string): boolean;
  readonly pace: DeltaPace;
  readonly permits: TurnPermits;
  readonly lastAttempts: LastAttempts;
  readonly tracing: Tracing;
  readonly damage: Damage;
  /** By agent: bounds how often the log has its failures. */
  readonly failing: Map<string, ReturnType<typeof atMostEvery>>;
  /** Sessions whose lease this node has, by id. */
  readonly held: Map<string, HeldSession>;
  readonly lingering: Lingering;
  readonly historyRoom: HistoryRoom;
  phase: WorkerPhase;
};
